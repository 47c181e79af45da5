"""Small option chains as vendors' files, made here: Black-76 values at one volatility, a tenth wide."""

import math

SPOT, RATE, VOLATILITY = 100.0, 0.05, 0.25
YEARS = 36 / 365  # 2023-09-14 to 2023-10-20
STRIKES = range(80, 125, 5)

HEAD = """
Test Company,Last: 100.00,Change:  0.50
"Date: September 14, 2023 at 4:00 PM EDT",Bid: 99.99,Ask: 100.01,Size: 1*1,Volume: 0
Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest
"""


def normal(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


def values(strike):
    """Call and put."""
    forward, discount = SPOT * math.exp(RATE * YEARS), math.exp(-RATE * YEARS)
    deviation = VOLATILITY * math.sqrt(YEARS)
    d1 = math.log(forward / strike) / deviation + deviation / 2
    call = discount * (forward * normal(d1) - strike * normal(d1 - deviation))
    return call, call - discount * (forward - strike)


def cboe(root="TST"):
    """The text of a file that can be read."""
    lines = []
    for strike in STRIKES:
        cells = ["Fri Oct 20 2023"]
        for letter, value in zip("CP", values(strike)):
            if letter == "P":
                cells.append(f"{strike:.2f}")
            bid, ask = max(value - 0.05, 0), value + 0.05
            cells += [f"{root}231020{letter}{strike * 1000:08d}", f"{value:.2f}", "0", f"{bid:.2f}", f"{ask:.2f}", "100",
                      f"{VOLATILITY}", "0.5", "0.01", "1000"]
        lines.append(",".join(cells))
    return HEAD + "\n".join(lines) + "\n"
