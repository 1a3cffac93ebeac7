"""`[alerts]`: what is told and to whom, and what is refused in one line."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ultrai.domain.errors import SettingsError
from ultrai.policy.alerting import AlertRules
from ultrai.settings.alert_sinks import CommandTo, EmailTo, WebhookTo
from ultrai.settings.key_reference import KeyReference


def test_without_the_table_nothing_is_watched(loaded):
    assert loaded("").alerts is None
    assert loaded("[alerts]\nlog = true").alerts.rules == AlertRules()


def test_an_empty_table_turns_alerts_on(loaded):
    assert loaded("[alerts]").alerts.rules == AlertRules()
    profiles = "[profiles.dev.alerts]\n[profiles.prod]"
    assert loaded(profiles, {"ULTRAI_ENV": "dev"}).alerts.log
    assert loaded(profiles, {"ULTRAI_ENV": "prod"}).alerts is None


def test_every_rule_can_be_set_and_switched_off(loaded):
    text = """
        [alerts]
        thresholds = [100, 25, 25]
        speed_factor = 2.5
        speed_least_usd = "0.10"
        unknown_usd = 3
        drift_usd = "none"
        key_expires_days = 7
        key_age_days = "none"
        free_left_percent = 20
        log = false
    """
    alerts = loaded(text).alerts
    assert alerts.rules == AlertRules(
        thresholds=(25, 100),
        speed_factor=Decimal("2.5"),
        speed_least_nanos=100_000_000,
        unknown_nanos=3_000_000_000,
        drift_nanos=None,
        key_expires_days=7,
        key_age_days=None,
        free_left_percent=20,
    )
    assert not alerts.log


def test_three_ways_to_tell_somebody(loaded):
    text = """
        [[alerts.to]]
        webhook = "env:HOOK"
        secret = "env:SECRET"
        [[alerts.to]]
        name = "ops"
        email = ["ops@example.org", "boss@example.org"]
        from = "ultrai@example.org"
        smtp = "smtps://mail.example.org"
        user = "u"
        password = "env:PASSWORD"
        [[alerts.to]]
        command = ["notify", "--now"]
    """
    environ = {
        "HOOK": "https://example.org/services/T0/B0?token=x",
        "SECRET": "s3cret",
        "PASSWORD": "pw-mail",
        "OPENROUTER_API_KEY": "sk-or-v1-canary",
        "PATH": "/bin",
        "LC_ALL": "C",
    }
    alerts = loaded(text, environ).alerts
    hook, mail, program = alerts.to
    assert isinstance(hook, WebhookTo)
    assert hook.address.reveal() == environ["HOOK"]
    assert (hook.name, hook.where, hook.problem) == ("webhook-1", "example.org", None)
    assert isinstance(mail, EmailTo)
    assert (mail.name, mail.port, mail.tls, mail.sender) == ("ops", 465, True, "ultrai@example.org")
    assert isinstance(program, CommandTo)
    assert program.argv == ("notify", "--now")
    assert "SECRET" not in program.environ
    assert set(program.environ) == {"PATH", "HOME", "LC_ALL"}
    assert not any(word in repr(alerts) for word in ("token=x", "s3cret", "pw-mail", "canary"))


def test_a_secret_that_cannot_be_had_is_a_problem_of_its_sink_alone(loaded):
    text = '[[alerts.to]]\nwebhook = "https://example.org/x"\nsecret = "env:GONE"'
    (hook,) = loaded(text).alerts.to
    assert "GONE" in hook.problem


def test_a_store_is_asked_when_the_secret_is_needed_and_not_before(loaded):
    text = '[[alerts.to]]\nwebhook = "https://example.org/x"\nsecret = "vault:kv/x#y"'
    settings = loaded(text, {"VAULT_ADDR": "http://127.0.0.1:9"})
    (hook,) = settings.alerts.to
    assert isinstance(hook.secret, KeyReference)
    assert hook.problem is None
    assert hook.address in list(settings.known_keys()), "so that nothing shows it"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alerts = true", "must be a table"),
        ("[alerts]\nthreshold = [1]", "did you mean thresholds"),
        ("[alerts]\nthresholds = 50", "must be a list"),
        ("[alerts]\nthresholds = [0]", "from 1 to 1000"),
        ('[alerts]\nthresholds = ["50"]', "whole number"),
        ("[alerts]\nspeed_factor = 0.5", "from 1 to 1000"),
        ('[alerts]\nspeed_least_usd = "none"', "amount in USD"),
        ("[alerts]\nto = 5", "must be a list"),
        ("[[alerts.to]]\nname = 'x'", "one of webhook, email, command"),
        ("[[alerts.to]]\nwebhook = 'x'\ncommand = ['x']", "one way"),
        ("[[alerts.to]]\nwebhook = 'http://example.org/x'", "encrypted"),
        ("[[alerts.to]]\nwebhook = 'ftp://example.org/x'", "must be an address"),
        ("[[alerts.to]]\nwebhook = 'https://example.org/x'\nsecret = 'bare'", "reference"),
        ("[[alerts.to]]\nwebhook = 'https://example.org/x'\nhost = 'y'", "'host' is not"),
        ("[[alerts.to]]\ncommand = 'rm -rf x'", "no shell"),
        ("[[alerts.to]]\ncommand = []", "no program"),
        ("[[alerts.to]]\nwebhook = 'keyring:a/b'", "env: or file:"),
        ("[[alerts.to]]\nemail = 'a@b'", "needs a server"),
        ("[[alerts.to]]\nemail = []\nsmtp = 'smtp://h'", "names nobody"),
        ("[[alerts.to]]\nemail = 'nobody'\nsmtp = 'smtp://h'", "mail address"),
        ("[[alerts.to]]\nemail = 'a@b'\nsmtp = 'smtp://u:p@h'", "stand apart"),
        ("[[alerts.to]]\nemail = 'a@b'\nsmtp = 'smtp://h:99999'", "port"),
        ("[[alerts.to]]\nemail = 'a@b'\nsmtp = 'smtp://h'\nuser = 'u'", "without the other"),
        ("[[alerts.to]]\nname = 'log'\ncommand = ['x']", "another one"),
        (
            "[[alerts.to]]\nname = 'a'\ncommand = ['x']\n" * 2,
            "another one",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(loaded, text, words):
    with pytest.raises(SettingsError) as caught:
        loaded(text)
    line = f"{caught.value} — {caught.value.hint}"
    assert words in line
    assert "ultrai.toml" in line
    assert "\n" not in line
