"""Letters of the US tapes, as the processor reads them."""

from feedhandler.sip_conditions import NUMBER_OF_DIGIT, conditions_of
from processor.trades import conditions


def test_digits_become_the_numbers_that_the_processor_has_for_them() -> None:
    assert {digit: str(number) for digit, number in conditions.NUMBER_OF_DIGIT.items()} == NUMBER_OF_DIGIT


def test_letters_of_both_forms_are_read_by_the_processor() -> None:
    assert conditions_of(["@", "T", "I"]) == conditions_of("@ TI") == "@ T I"
    assert conditions.read(conditions_of("@ TI")) == conditions.read("0,12,37")
    assert conditions_of("") == conditions_of([" "]) == ""
