"""Prints the monthly cost of the rule, as in docs/reference/cost.md: `python3 tools/cost.py`.

Prices are for us-east-1 in US dollars. The page links their sources. The bytes that an event writes to the log
were measured in the demo. The time that an event runs is an assumption: the stand-in for AWS cannot show it.
"""

DAYS = 30
CHANGES_A_DAY = (100, 1_000, 10_000)

# The example account.
NODE_ROLES = 50
NODE_SHARE = 0.05  # share of node roles among the changed roles
SCHEDULES_A_DAY = 1

# Bytes of the log per role: the lines of the function, and three lines of Lambda.
LOG_OTHER_ROLE, LOG_NODE_ROLE, LOG_SCHEDULED_ROLE = 2_500, 10_000, 6_000

# Billed seconds per event.
SECONDS_OTHER_ROLE, SECONDS_NODE_ROLE, SECONDS_SCHEDULE = 0.1, 1.0, 30.0
GIBIBYTES = 0.25

# Days after which an unchanged finding is imported again.
RENEWED_AFTER = 7

METRICS = 15
ALARMS = 7

EVALUATIONS = ((100_000, 0.001), (400_000, 0.0008), (float("inf"), 0.0005))
FINDINGS = ((10_000, 0.0), (float("inf"), 0.00003))
TRACES = ((100_000, 0.0), (float("inf"), 0.000005))
REQUEST, GIBIBYTE_SECOND = 0.20e-6, 0.0000166667
LOG_GIGABYTE, METRIC, ALARM, KEY = 0.50, 0.30, 0.10, 1.00


def tiered(count, tiers):
    total = 0.0
    for size, price in tiers:
        taken = min(count, size)
        total += taken * price
        count -= taken
    return total


def month(changes_a_day):
    """The cost of a month in US dollars, by item."""
    changes = changes_a_day * DAYS
    nodes = changes * NODE_SHARE
    others = changes - nodes
    schedules = SCHEDULES_A_DAY * DAYS
    scheduled = schedules * NODE_ROLES
    seconds = others * SECONDS_OTHER_ROLE + nodes * SECONDS_NODE_ROLE + schedules * SECONDS_SCHEDULE
    logged = others * LOG_OTHER_ROLE + nodes * LOG_NODE_ROLE + scheduled * LOG_SCHEDULED_ROLE
    return {
        "AWS Config: evaluations": tiered(changes + scheduled, EVALUATIONS),
        "AWS Lambda: requests and time": (changes + schedules) * REQUEST + seconds * GIBIBYTES * GIBIBYTE_SECOND,
        "CloudWatch: log": logged / 1e9 * LOG_GIGABYTE,
        "CloudWatch: metrics, at most": METRICS * METRIC,
        "AWS X-Ray: traces, at most": tiered(changes + schedules, TRACES),
        # At most: unchanged findings are imported again only after RENEWED_AFTER.
        "`SecurityHubFindings`: findings": tiered(nodes + NODE_ROLES * DAYS / RENEWED_AFTER, FINDINGS),
        "`Alarms` or `Notifications`: KMS key": KEY,
        "`Alarms`: alarms": ALARMS * ALARM,
    }


def table():
    months = [month(changes) for changes in CHANGES_A_DAY]
    lines = ["| US dollars a month | " + " | ".join(f"{changes:,} changes a day" for changes in CHANGES_A_DAY) + " |"]
    lines.append("|---" + "|---:" * len(months) + "|")
    lines += [f"| {line} | " + " | ".join(f"{each[line]:.2f}" for each in months) + " |" for line in months[0]]
    lines.append("| together | " + " | ".join(f"{sum(each.values()):.2f}" for each in months) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
