"""Throttling as AWS does it: a token bucket for each limit, and the error of each service."""

import time

# The error code and HTTP status of a throttled call, by service. They come from its model, or from the common errors if
# the model has none.
THROTTLED = {
    "account": ("TooManyRequestsException", 429),
    "config": ("ThrottlingException", 400),
    "eks": ("ThrottlingException", 429),
    "iam": ("Throttling", 400),
    "securityhub": ("TooManyRequestsException", 429),
    "sts": ("Throttling", 400),
}


class Bucket:
    """A token bucket, as AWS describes its throttling. It gains `per_second` tokens and holds at most `burst`."""

    def __init__(self, per_second, burst=None):
        self._per_second, self._burst = per_second, burst or per_second
        self._held, self._at = self._burst, time.monotonic()

    def take(self):
        now = time.monotonic()
        self._held = min(self._burst, self._held + (now - self._at) * self._per_second)
        self._at = now
        if self._held < 1:
            return False
        self._held -= 1
        return True


class Throttle:
    """Limits the rate of calls by service, account and region. Services without a rate have no limit."""

    def __init__(self, per_second, burst=None):
        """`per_second` has the rate of each limited service. `burst` is its default burst, if that is not the rate."""
        self._per_second = {service: rate for service, rate in per_second.items() if rate}
        self._burst, self._buckets = burst, {}

    def admits(self, service, account="", region=""):
        if service not in self._per_second:
            return True
        key = service, account, region
        if key not in self._buckets:
            self._buckets[key] = Bucket(self._per_second[service], self._burst)
        return self._buckets[key].take()
