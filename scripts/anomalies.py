#!/usr/bin/env python3
"""How often chance looks like what the statistical checks look for: the figures of docs/anomalies.md.

    python3 scripts/anomalies.py

Draws many recordings in which nothing happens but chance and counts those that a check would tell of, by the
formulas of queries/checks/{beaconing,rate_anomaly,rate_drift,exfiltration,dga_names,process_rarity}.sql with their default parameters; and
recordings with what they look for. Needs numpy.
"""

import collections
import math
import re

import numpy as np

ROUNDS = 40_000


def beacons(times):
    """Which rows of times between calls beaconing takes for one pace."""
    pace = np.median(times, axis=1)[:, None]
    off = np.abs(times - pace) / pace
    return (np.median(off, axis=1) <= 0.2) & ((off <= 0.4).mean(axis=1) >= 0.75)


def deviations(values, least):
    """By how many deviations each value lies above the median of its row (robust z-score)."""
    middle = np.median(values, axis=1)[:, None]
    deviation = 1.4826 * np.median(np.abs(values - middle), axis=1)[:, None]
    return (values - middle) / np.maximum(deviation, least)


def bursts(counts):
    """Which rows of events per second rate_anomaly finds a burst in."""
    logs = np.log(1.0 + counts)
    middle = np.median(logs, axis=1)[:, None]
    many = deviations(logs, np.maximum(0.25, np.exp(-middle / 2))) >= 6
    usual = np.exp(middle[:, 0]) - 1 >= 10
    return usual & many.any(axis=1) & (many.mean(axis=1) <= 0.05)


def drifts(sent):
    """Which rows of bytes per second rate_drift finds lastingly above their first half minute."""
    logs = np.log(1.0 + sent)
    first = logs[:, :30]
    middle = np.median(first, axis=1)
    deviation = np.maximum(1.4826 * np.median(np.abs(first - middle[:, None]), axis=1), 0.1)
    limit = np.maximum(6 * deviation * math.sqrt(0.2 / (2 - 0.2)), math.log(3))
    smooth, above = middle.copy(), []
    for second in range(30, logs.shape[1]):
        smooth = 0.2 * logs[:, second] + 0.8 * smooth
        above.append(smooth - middle >= limit)
    above = np.array(above).T
    since = np.where(above.any(axis=1), above.shape[1] - above.argmax(axis=1), 1)
    return (above.sum(axis=1) >= 15) & (above.sum(axis=1) >= 0.8 * since)


def wandering(random, shape, memory, deviation):
    """Rows of values that each depend on the one before (autoregressive)."""
    rows = random.normal(0, deviation * math.sqrt(1 - memory**2), shape)
    rows[:, 0] = random.normal(0, deviation, shape[0])
    for at in range(1, shape[1]):
        rows[:, at] += memory * rows[:, at - 1]
    return rows


def looks_random(label):
    """Whether dga_names takes a part of a name for made up."""
    pattern = r"[bcdfghjklmnpqrstvwxz]{5}|[a-z][0-9]+[a-z]+[0-9]"
    return re.search(pattern, label) is not None and entropy(label) >= 2.5


def entropy(text):
    """Bits for each character."""
    counts = collections.Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def main():
    """Prints a line for each figure."""
    random = np.random.default_rng(1)
    shape = (ROUNDS, 14)
    jittered = lambda share: 10 * (1 + random.uniform(-share, share, shape))
    told = [
        ("beaconing, calls at random", beacons(random.exponential(10, shape))),
        ("beaconing, calls at random, at least 1 s apart", beacons(1 + random.exponential(10, shape))),
        ("beaconing, times between calls log-normal", beacons(random.lognormal(2, 1, shape))),
        ("beaconing, a beacon with 20 % jitter", beacons(jittered(0.2))),
        ("beaconing, a beacon with 30 % jitter", beacons(jittered(0.3))),
        ("beaconing, a beacon with 40 % jitter", beacons(jittered(0.4))),
        ("beaconing, 20 % jitter, one call in ten missing", beacons(jittered(0.2) * (1 + (random.random(shape) < 0.1)))),
    ]
    for seconds in (30, 300):
        steady = random.poisson(100, (ROUNDS // 4, seconds))
        uneven = random.lognormal(4, 0.5, (ROUNDS // 4, seconds))
        burst = steady.copy()
        burst[:, 20] *= 10
        told += [
            (f"rate_anomaly, {seconds} s, 100 events a second at random", bursts(steady)),
            (f"rate_anomaly, {seconds} s, log-normal (0.5)", bursts(uneven)),
            (f"rate_anomaly, {seconds} s, heavy tails (Student's t, 3 degrees)", bursts(100 * np.exp(0.3 * random.standard_t(3, steady.shape).clip(-8, 8)))),
            (f"rate_anomaly, {seconds} s, one second with ten times as many", bursts(burst)),
        ]
    uneven = random.lognormal(10, 0.5, (ROUNDS // 4, 300))
    more = uneven.copy()
    more[:, 150:] *= 8
    told += [
        ("rate_drift, 300 s, log-normal (0.5)", drifts(uneven)),
        ("rate_drift, 300 s, eight times as much in the second half", drifts(more)),
    ]
    for memory in (0.5, 0.8, 0.95):
        rows = np.exp(10 + wandering(random, (ROUNDS // 4, 300), memory, 1))
        told.append((f"rate_drift, 300 s, log-normal (1) that remembers {memory}", drifts(rows)))
    for pairs in (5, 20, 100):
        scores = deviations(random.normal(0, 2, (ROUNDS, pairs)), 0.5) >= 3.5
        told.append((f"exfiltration, {pairs} pairs, log-normal (2), one of them", scores.any(axis=1)))
    runs = random.poisson((40, 10, 2), (ROUNDS, 3))
    told.append(("process_rarity, 40, 10 and 2 runs expected", (runs == 1).any(axis=1) & (runs.sum(axis=1) >= 50)))
    for what, answers in told:
        print(f"{what}: {100 * answers.mean():.3f} %")
    letters = list("abcdefghijklmnopqrstuvwxyz")
    for length in (8, 12, 16):
        values = [entropy("".join(random.choice(letters, length))) for _ in range(4_000)]
        print(f"entropy of {length} random letters: {np.mean(values):.2f} bits, 5 % below {np.quantile(values, 0.05):.2f}")


    for name, alphabet, length in (("letters", letters, 8), ("letters", letters, 14), ("hexadecimal", list("0123456789abcdef"), 16)):
        labels = ["".join(random.choice(alphabet, length)) for _ in range(4_000)]
        print(f"dga_names, {length} random {name}: {100 * np.mean([looks_random(label) for label in labels]):.0f} % look random")


if __name__ == "__main__":
    main()
