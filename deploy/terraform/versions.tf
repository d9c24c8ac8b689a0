terraform {
  # 1.9: a validation may name other variables.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.0: the attribute `region` of the data source `aws_region`.
      version = ">= 6.0"
    }
  }
}
