"""The questions, checked; what one may cost; the View that every answer is computed from; bars, joins."""
