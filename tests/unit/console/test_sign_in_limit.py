from gateway.console.sign_in_limit import MOST_FAILURES, MOST_SUBJECTS, WINDOW_SECONDS, SignInLimit


def failed_often(*subjects: str) -> SignInLimit:
    limit = SignInLimit()
    for second in range(MOST_FAILURES):
        limit.failed(float(second), *subjects)
    return limit


def test_after_enough_failures_one_waits_until_the_oldest_is_forgotten() -> None:
    limit = failed_often("address a")
    assert limit.wait(MOST_FAILURES, "address a") == WINDOW_SECONDS - MOST_FAILURES
    assert limit.wait(WINDOW_SECONDS, "address a") == 0


def test_a_login_guessed_at_from_many_addresses_waits_too() -> None:
    limit = SignInLimit()
    for number in range(MOST_FAILURES):
        limit.failed(0.0, f"address {number}", "login ops")
    assert limit.wait(1.0, "address new", "login ops") > 0
    assert limit.wait(1.0, "address new", "login other") == 0


def test_success_clears() -> None:
    limit = failed_often("address a", "login ops")
    limit.succeeded("address a", "login ops")
    assert limit.wait(MOST_FAILURES, "address a", "login ops") == 0


def test_memory_is_bounded() -> None:
    limit = SignInLimit()
    for number in range(MOST_SUBJECTS + 10):
        limit.failed(0.0, f"address {number}")
    assert len(limit._failures) == MOST_SUBJECTS
