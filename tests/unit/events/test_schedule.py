from datetime import timedelta

from gateway.events.schedule import FIRST, GIVE_UP_AFTER, LONGEST, next_try


def test_waits_double_up_to_the_longest() -> None:
    waits = [wait for tries in range(1, 20) if (wait := next_try(tries, 0.999999))]
    assert [round(wait / FIRST) for wait in waits[:6]] == [1, 2, 4, 8, 16, 32]
    assert len(waits) == 19
    assert LONGEST * 0.99 < max(waits) <= LONGEST


def test_jitter_spreads_a_wait_over_its_second_half() -> None:
    assert next_try(1, 0.0) == FIRST / 2
    assert next_try(1, 0.5) == FIRST * 0.75


def test_it_is_given_up_after_three_days() -> None:
    waited = timedelta(0)
    tries = 1
    while wait := next_try(tries, 0.5):
        waited += wait
        tries += 1
    assert GIVE_UP_AFTER <= waited < GIVE_UP_AFTER + LONGEST
