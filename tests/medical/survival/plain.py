"""Survival by plain loops, straight from the definitions: what the package is compared with."""

import math

import numpy as np


def cox_loss(h, time, event, ties):
    """The sum over distinct times of -log of their part of the partial likelihood."""
    total = 0.0
    for t in sorted(set(time)):
        dead = [i for i in range(len(h)) if time[i] == t and event[i]]
        risk = sum(math.exp(h[j]) for j in range(len(h)) if time[j] >= t)
        tied = sum(math.exp(h[j]) for j in dead)
        for place, i in enumerate(dead):
            off = place / len(dead) * tied if ties == "efron" else 0.0
            total -= h[i] - math.log(risk - off)
    return total


def discrete_loss(logits, time, event, cuts):
    total = 0.0
    for row, t, e in zip(logits, time, event, strict=True):
        begin = 0.0
        for logit, end in zip(row, cuts, strict=True):
            hazard = 1 / (1 + math.exp(-logit))
            if e and (begin < t <= end or t == begin == 0):
                total -= math.log(hazard)
                break
            if t >= (end if e else (begin + end) / 2):
                total -= math.log(1 - hazard)
            begin = end
    return total / len(logits)


def kaplan_meier(time, event, at):
    share = 1.0
    for t in sorted(set(time)):
        if t <= at:
            risk = sum(u >= t for u in time)
            share *= 1 - sum(u == t and e for u, e in zip(time, event, strict=True)) / risk
    return share


def censoring(time, event, at, before=False):
    """The share not yet censored; the dead of a time are gone before anybody is censored then."""
    share = 1.0
    for t in sorted(set(time)):
        if t < at or (t == at and not before):
            left = sum(u > t or (u == t and not e) for u, e in zip(time, event, strict=True))
            lost = sum(u == t and not e for u, e in zip(time, event, strict=True))
            share *= 1 - lost / left if left else 1.0
    return share


def concordance(time, event, risk, weight=None, until=math.inf, ties_in_time=True):
    right = pairs = 0.0
    for i in range(len(time)):
        for j in range(len(time)):
            later = time[i] < time[j] or (ties_in_time and time[i] == time[j] and not event[j])
            if event[i] and time[i] < until and later and i != j:
                w = 1.0 if weight is None else weight[i]
                pairs += w
                right += w * (1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0)
    return right / pairs


def brier(time, event, survival, at):
    total = 0.0
    for t, e, s in zip(time, event, survival, strict=True):
        if t > at:
            total += (1 - s) ** 2 / censoring(time, event, at)
        elif e:
            total += s**2 / censoring(time, event, t, before=True)
    return total / len(time)


def uplift_gain(benefit, treated, outcome, weight, first):
    """Gain of treating the ``first`` patients by benefit."""
    order = sorted(range(len(benefit)), key=lambda i: -benefit[i])[:first]
    means = []
    for arm in (1, 0):
        w = [weight[i] for i in order if treated[i] == arm]
        y = [outcome[i] * weight[i] for i in order if treated[i] == arm]
        if not sum(w):
            return 0.0
        means.append(sum(y) / sum(w))
    return (means[0] - means[1]) * first / len(benefit)


def patients(n, seed, distinct=12):
    """Times with many ties, events, risks with ties."""
    draw = np.random.default_rng(seed)
    time = draw.integers(1, distinct, n).astype(float)
    event = draw.random(n) < 0.6
    event[:2] = True
    return time, event, draw.normal(0, 1, n).round(1)
