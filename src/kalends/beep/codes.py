"""BEEP reply codes (RFC 3080 §8)."""

from enum import IntEnum


class ReplyCode(IntEnum):
    """The three-digit codes of ``<error>`` and ``<close>``, meant for programs.

    Source: RFC 3080 §8.
    """

    SUCCESS = 200
    SERVICE_NOT_AVAILABLE = 421
    ACTION_NOT_TAKEN = 450
    ACTION_ABORTED = 451
    TEMPORARY_AUTHENTICATION_FAILURE = 454
    SYNTAX_ERROR = 500
    PARAMETER_SYNTAX_ERROR = 501
    PARAMETER_NOT_IMPLEMENTED = 504
    AUTHENTICATION_REQUIRED = 530
    MECHANISM_INSUFFICIENT = 534
    AUTHENTICATION_FAILURE = 535
    NOT_AUTHORIZED = 537
    ENCRYPTION_REQUIRED = 538
    REFUSED = 550
    PARAMETER_INVALID = 553
    TRANSACTION_FAILED = 554


MEANINGS: dict[ReplyCode, str] = {
    ReplyCode.SUCCESS: "success",
    ReplyCode.SERVICE_NOT_AVAILABLE: "service not available",
    ReplyCode.ACTION_NOT_TAKEN: "requested action not taken for now",
    ReplyCode.ACTION_ABORTED: "requested action aborted",
    ReplyCode.TEMPORARY_AUTHENTICATION_FAILURE: "temporary authentication failure",
    ReplyCode.SYNTAX_ERROR: "general syntax error",
    ReplyCode.PARAMETER_SYNTAX_ERROR: "syntax error in parameters",
    ReplyCode.PARAMETER_NOT_IMPLEMENTED: "parameter not implemented",
    ReplyCode.AUTHENTICATION_REQUIRED: "authentication required",
    ReplyCode.MECHANISM_INSUFFICIENT: "authentication mechanism insufficient",
    ReplyCode.AUTHENTICATION_FAILURE: "authentication failure",
    ReplyCode.NOT_AUTHORIZED: "action not authorized for user",
    ReplyCode.ENCRYPTION_REQUIRED: "authentication mechanism requires encryption",
    ReplyCode.REFUSED: "requested action not taken",
    ReplyCode.PARAMETER_INVALID: "parameter invalid",
    ReplyCode.TRANSACTION_FAILED: "transaction failed",
}
