"""The total-queue check: everything acknowledged is in the stream once, nothing else is, and what the
subscribers saw on the way is what the stream says in the end.

Reads the files of test-kill9-producer and test-kill9-subscriber; their headers say what the lines mean.
"""

import collections
import dataclasses


@dataclasses.dataclass
class Report:
    acknowledged: int = 0
    delivered: int = 0  # jobs with an entry
    lost: int = 0
    unexpected: int = 0  # entries of jobs that were never submitted
    duplicated: int = 0  # entries of the stream beyond the first of their job
    seen_again: int = 0  # entries that came to a subscriber more than once: allowed
    refusals: int = 0  # that passed
    problems: list = dataclasses.field(default_factory=list)

    def expect(self, ok, sentence):
        if not ok:
            self.problems.append(sentence)


def whole_lines(path):
    """The last line may have been cut short by a kill."""
    text = path.read_text() if path.exists() else ""
    return [line.split(" ") for line in text[:text.rfind("\n") + 1].splitlines()]


def some(items):
    items = sorted(items)
    return f"{len(items)} ({', '.join(map(str, items[:5]))}{', ...' if len(items) > 5 else ''})"


class Stream:
    """One file of a subscriber."""

    def __init__(self, path):
        self.entries = []  # (offset, number or id, outcome, body)
        self.incarnations = set()
        self.gaps = []
        for line in whole_lines(path):
            if line[0] == "E":
                self.entries.append((int(line[1]), *line[2:]))
            elif line[0] == "C":
                self.incarnations.add(line[1])
            else:
                self.gaps.append(tuple(line[1:]))


def check_acknowledgements(path, jobs, report):
    taken = collections.Counter()
    answered = set()
    for number, verdict, *_ in whole_lines(path):
        if verdict == "refused":
            report.refusals += 1
            continue
        answered.add(int(number))
        if verdict != "duplicate":
            taken[int(number)] += 1
    forgotten = [number for number, times in taken.items() if times > 1]
    report.expect(not forgotten, f"accepted again although acknowledged before: jobs {some(forgotten)}")
    report.expect(len(answered) == jobs, f"not acknowledged: jobs {some(set(range(jobs)) - answered)}")
    report.acknowledged = len(answered)
    return answered


def check_stream(final, acknowledged, jobs, report):
    ours = []
    strangers = []
    for entry in final.entries:
        (ours if entry[1].isdigit() and int(entry[1]) < jobs else strangers).append(entry)
    numbers = collections.Counter(int(entry[1]) for entry in ours)
    lost = acknowledged - numbers.keys()
    repeated = [number for number, times in numbers.items() if times > 1]
    report.delivered = len(numbers)
    report.lost = len(lost)
    report.unexpected = len(strangers)
    report.duplicated = len(ours) - len(numbers)
    report.expect(not lost, f"acknowledged, but without an entry: jobs {some(lost)}")
    report.expect(not strangers, f"never submitted, but with an entry: {len(strangers)}, such as {strangers[:3]}")
    report.expect(not repeated, f"more than one entry: jobs {some(repeated)}")
    offsets = [entry[0] for entry in final.entries]
    report.expect(offsets == list(range(len(offsets))), "the stream's offsets do not rise by one from 0")
    report.expect(not final.gaps, f"the stream has lost offsets: {final.gaps}")
    report.expect(len(final.incarnations) <= 1, f"several incarnations: {sorted(final.incarnations)}")
    bad = [entry for entry in ours if entry[2:] != ("done", "same")]
    report.expect(not bad, f"ended otherwise than done with the body submitted: {len(bad)}, such as {bad[:3]}")


def check_seen(name, seen, final, report):
    in_the_end = {entry[0]: entry for entry in final.entries}
    others = [entry for entry in seen.entries if in_the_end.get(entry[0]) != entry]
    report.expect(not others, f"{name}: not so in the end: {len(others)}, such as {others[:3]}")
    offsets = {entry[0] for entry in seen.entries}
    missing = in_the_end.keys() - offsets
    report.expect(not missing, f"{name}: offsets that never came: {some(missing)}")
    report.expect(seen.incarnations == final.incarnations,
                  f"{name}: incarnations {sorted(seen.incarnations)}, in the end {sorted(final.incarnations)}")
    report.expect(not seen.gaps, f"{name}: told of lost offsets: {seen.gaps}")
    report.seen_again += len(seen.entries) - len(offsets)


def check(acknowledgements, seen, final, jobs):
    """The report of one round, from its files; `seen` are those of the subscribers that were killed."""
    report = Report()
    last = Stream(final)
    acknowledged = check_acknowledgements(acknowledgements, jobs, report)
    check_stream(last, acknowledged, jobs, report)
    for path in seen:
        check_seen(path.name, Stream(path), last, report)
    return report
