"""Looking phone numbers up, which costs money with use_validation, and how the numbers of the sandbox fare.

Some numbers are refused on purpose, so that clients can see each code: those that begin with one of PREFIXES.
"""

from pipelines.sandbox.account import Account
from pipelines.sandbox.replies import Refusal, Row

PRICE = 0.003
"""Dollars for a number that was not validated before."""
BILLING_CODES = ("no_billing_config", "no_payment_method", "payment_failed", "suspended")
PREFIXES = {
    "+1555666": "not_sendable",
    "+1555667": "validation_failed",
    "+1555668": "provider_error",
}
"""What becomes of numbers that begin so; the last two only with use_validation."""
_ERRORS = {
    "not_sendable": "The number cannot be sent to",
    "validation_failed": "The number did not pass validation",
    "provider_error": "The validation provider did not answer",
}


def fate(phone: str, use_validation: bool) -> Refusal | None:
    """Why a number is not taken, if it is not."""
    code = next((code for prefix, code in PREFIXES.items() if phone.startswith(prefix)), None)
    if code is None or (code != "not_sendable" and not use_validation):
        return None
    return code, _ERRORS[code]


def validate(account: Account, phone: str) -> Row:
    """Validate a number: free where the account has paid for it before."""
    cached = phone in account.validated
    account.validated.setdefault(phone, PRICE)
    disposition = "invalid" if fate(phone, use_validation=True) else "ok"
    return {"cached": cached, "cost": 0.0 if cached else PRICE, "disposition": disposition}
