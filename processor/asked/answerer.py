"""The processor's questions: those of every process, and those that are its alone."""

from collections.abc import Callable, Mapping

import pyarrow as pa

from plant.query.answers import Selecting, Source
from plant.query.limits import Budget
from plant.query.questions import Calculate, Candles, Question
from processor.asked.calculating import Calculator, declaration_in
from processor.asked.verify_indicators import RecomputingAnswerer


class ProcessorAnswerer(RecomputingAnswerer):
    """Answers `recompute`, `calculate` and `candles` besides the others."""

    def __init__(
        self,
        tables: Mapping[str, Source],
        sql: Selecting,
        recompute: Callable[..., pa.Table],
        calculator: Calculator,
    ) -> None:
        super().__init__(tables, sql, recompute)
        self._calculator = calculator

    def answer(self, question: Question, budget: Budget | None = None) -> pa.Table:
        """Return the answer. Raises as RecomputingAnswerer does, and what rdb and hdb answer."""
        budget = budget or Budget()
        match question:
            case Calculate():
                return self._calculator.calculate(declaration_in(question), question, max(budget.left_s, 0.01))
            case Candles():
                found = self._calculator.candles(question, max(budget.left_s, 0.01))
                budget.rows(found.num_rows)
                return found
        return super().answer(question, budget)
