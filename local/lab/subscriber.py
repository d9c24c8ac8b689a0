"""The notifications of `template.yaml` in the stand-in, and a subscriber that reads them.

The EventBridge rule, its targets and the topic come from the template, and are created by API calls. The subscriber is
an SQS queue. Encryption and policies of the topic are tested with the template, not here.
"""

import json

from local import ROOT
from local.templates.resolve import resolved

QUEUE = "subscriber"
PATH = ROOT / "template.yaml"


class Subscriber:
    """Receives all messages that are published after it is created."""

    def __init__(self, lab, parameters=None):
        resources = resolved(PATH, {"Notifications": "true", **(parameters or {})})["Resources"]
        rule = resources["ComplianceChangeRule"]["Properties"]
        topics, self._queues, rules = lab.client("sns"), lab.client("sqs"), lab.client("events")
        for target in rule["Targets"]:
            topics.create_topic(Name=target["Arn"].rsplit(":", 1)[-1])
        self._url = self._queues.create_queue(QueueName=QUEUE)["QueueUrl"]
        attributes = self._queues.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]
        for target in rule["Targets"]:
            topics.subscribe(TopicArn=target["Arn"], Protocol="sqs", Endpoint=attributes["QueueArn"])
        rules.put_rule(Name="compliance-change", EventPattern=json.dumps(rule["EventPattern"]))
        rules.put_targets(Rule="compliance-change", Targets=rule["Targets"])

    def read(self):
        """The messages since the last read, in order."""
        messages = []
        while batch := self._queues.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                messages.append(json.loads(message["Body"])["Message"])
                self._queues.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return messages
