"""Pure judgement: facts, policy and `now` in; decisions out. No clock, environment, disk or network here."""
