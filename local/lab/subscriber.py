"""The notifications of `template.yaml` on the local AWS, and a subscriber that reads them.

Rule, targets and topic are the template's own, made by API calls; the subscriber is an SQS queue, which can be read.
What the topic's encryption and policies say, the tests of the template look at.
"""

import json

from local import ROOT
from local.templates import resolve

QUEUE = "subscriber"
PATH = ROOT / "template.yaml"


class Subscriber:
    """Has what is published from its making on."""

    def __init__(self, lab, parameters=None):
        resources = resolve.resolved(PATH, {"Notifications": "true", **(parameters or {})})["Resources"]
        rule = resources["ComplianceChangeRule"]["Properties"]
        topics, self._queues, rules = lab.client("sns"), lab.client("sqs"), lab.client("events")
        for target in rule["Targets"]:
            topics.create_topic(Name=target["Arn"].rsplit(":", 1)[-1])
        self._url = self._queues.create_queue(QueueName=QUEUE)["QueueUrl"]
        arn = self._queues.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        for target in rule["Targets"]:
            topics.subscribe(TopicArn=target["Arn"], Protocol="sqs", Endpoint=arn)
        rules.put_rule(Name="compliance-change", EventPattern=json.dumps(rule["EventPattern"]))
        rules.put_targets(Rule="compliance-change", Targets=rule["Targets"])

    def read(self):
        """The messages that have come since the last time, in their order."""
        messages = []
        while got := self._queues.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                messages.append(json.loads(message["Body"])["Message"])
                self._queues.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return messages
