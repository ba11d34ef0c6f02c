"""Run the examples of rule and scheme files through the same engine that checks real checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import NoCheckpointError
from ..report.findings import Finding, Report
from ..rulebook.library import Book
from ..rulebook.model import Example, Rule
from ..rulebook.variants import scheme_examples
from ..schemes.model import Scheme
from ..settings.files import NAME, configuration_from
from ..settings.ruleset import Ruleset, chosen
from ..settings.settings import Settings, settings_for
from ..sources.memory import MemorySource
from ..text.toml import parse_toml
from .plan import jobs_for
from .run import Run


def failures(rule: Rule, book: Book) -> Iterator[str]:
    """One sentence for every example that does not do what it is there for."""
    for example in rule.bad:
        said = messages(rule, book, example)
        if not said:
            yield f"{example.place}: a bad example, but nothing is said"
        elif not any(example.says in text for text in said):
            yield f"{example.place}: wanted {example.says!r}, said {said[0]!r}"
    for example in rule.good:
        said = messages(rule, book, example)
        if said:
            yield f"{example.place}: a good example, but it is said: {said[0]!r}"


def messages(rule: Rule, book: Book, example: Example) -> list[str]:
    """What one rule says about an example."""
    return [finding.message for finding in found(rule, book, example)]


def found(rule: Rule, book: Book, example: Example) -> tuple[Finding, ...]:
    """What one rule finds in an example."""
    configured = NAME in example.files
    report = _report(book, tuple(book.rules.values()) if configured else (rule,), example)
    return tuple(f for f in report.findings if f.rule == rule.id) if report else ()


def scheme_failures(scheme: Scheme, book: Book) -> Iterator[str]:
    """One sentence for every example that is not recognised as the scheme, or about which the wrong thing is said."""
    bad, good = scheme_examples(scheme)
    rules = chosen(book, Settings()).rules
    for example in bad:
        report = _report(book, rules, example)
        findings = report.findings if report else ()
        if example.rule:
            if not any(f.rule == book.called(example.rule) and f.severity != "note" for f in findings):
                said = ", ".join(f"{f.rule} ({f.message})" for f in findings)
                yield f"{example.place}: wanted {example.rule}, found {said or 'nothing'}"
        elif not any(example.says in f.message for f in findings):
            yield f"{example.place}: wanted {example.says!r}, said {[f.message for f in findings] or 'nothing'}"
    for example in good:
        report = _report(book, rules, example)
        taken = _recognised(book, example)
        if scheme.name not in taken:
            yield f"{example.place}: a good example, but it is recognised as {', '.join(taken) or 'nothing'}"
        for finding in report.findings if report else ():
            if finding.severity != "note":
                yield f"{example.place}: a good example, but {finding.rule} says: {finding.message!r}"


def _recognised(book: Book, example: Example) -> list[str]:
    """The schemes of an example's modules."""
    try:
        jobs, _ = jobs_for(MemorySource(example.files, stated=example.stated), book, (), "headers")
    except NoCheckpointError:
        return []
    return sorted({module.scheme.name for job in jobs for module in job.view.recognised.modules})


def _report(book: Book, rules: tuple[Rule, ...], example: Example) -> Report | None:
    settings = _settings(example)
    try:
        run = Run.of(MemorySource(example.files, stated=example.stated), Ruleset(book, rules, settings))
    except NoCheckpointError:
        return None
    return run.report(final=settings.ignores)


def _settings(example: Example) -> Settings:
    """Those of the example's own tensorlint.toml, of which only the ignores count."""
    raw = example.files.get(NAME)
    if raw is None:
        return Settings()
    return Settings(ignores=settings_for("/", configuration_from(parse_toml(raw, NAME), "/")).ignores)
