"""Validates phone numbers, which costs money with use_validation, and defines the results for the sandbox's numbers.

Numbers that begin with one of PREFIXES are refused on purpose, so that clients can see each code.
"""

from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Refusal, Row

PRICE = 0.003
"""Price of a number that was not validated before, in dollars."""
BILLING_CODES = ("no_billing_config", "no_payment_method", "payment_failed", "suspended")
PREFIXES = {
    "+1555666": "not_sendable",
    "+1555667": "validation_failed",
    "+1555668": "provider_error",
}
"""Codes for numbers with these prefixes; the last two only with use_validation."""
_ERRORS = {
    "not_sendable": "The number cannot be sent to",
    "validation_failed": "The number did not pass validation",
    "provider_error": "The validation provider did not answer",
}


def fate(phone: str, use_validation: bool) -> Refusal | None:
    """Return the refusal of a number, if any."""
    code = next((code for prefix, code in PREFIXES.items() if phone.startswith(prefix)), None)
    if code is None or (code != "not_sendable" and not use_validation):
        return None
    return code, _ERRORS[code]


def validate(account: Account, phone: str) -> Row:
    """Validate a number; free if the account has paid for it before."""
    cached = phone in account.validated
    account.validated.setdefault(phone, PRICE)
    disposition = "invalid" if fate(phone, use_validation=True) else "ok"
    return {"cached": cached, "cost": 0.0 if cached else PRICE, "disposition": disposition}
