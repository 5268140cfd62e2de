"""Risk: limits, and the kill switch, which reads nothing: it works while everything else is stuck."""

from typing import Annotated

from fastapi import APIRouter, Body, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem, invalid
from api.answers.rows import json_answer
from api.desk.desk import Desk, desk_of, threaded
from api.desk.earned import halt_object, limits_object
from api.desk.limits import LimitsBody
from api.desk.strategies import version_in
from api.routes.trading.orders import Account, given
from api.services import caller_of, change_of, services_of
from plant.control.limits import told_of_target
from plant.control.writing import command_row, read_folds, told_nearest
from plant.state.commands import EVERYBODY, GivenCommand, KeptCommands

router = APIRouter(route_class=GateRoute, tags=["risk"])


class SwitchBody(BaseModel):
    """Whom it is for; all accounts, if none is named."""

    model_config = ConfigDict(extra="forbid")

    account: str | None = Field(None, description="one of [[accounts]]")
    note: str = Field("", max_length=500)


@router.get("/api/v1/risk", **declared())
@need("read")
async def risk(
    request: Request,
    account: Account = None,
    strategy: Annotated[str | None, Query(description="the limits told for a strategy, too")] = None,
) -> Response:
    """Return limits and halts of each account. `told` are the limits that were told over those of plant.toml."""
    desk = desk_of(services_of(request))
    chosen = desk.settings.accounts if account is None else (desk.account(account, "?account"),)
    seen = await desk.look()
    commands = await _commands(desk)
    found = []
    for each in chosen:
        told, version = told_of_target(commands, "account", each.name)
        what = {"account": each.name, "limits": limits_object(each, told), "told": told, "version": version}
        found.append(what | halt_object(desk.halt(seen, each)))
    answer = {"seq": seen.seq, "accounts": found}
    if strategy is not None:
        if strategy not in seen.strategies:
            raise Problem("not_found", f"there is no strategy {strategy!r}{told_nearest(strategy, seen.strategies)}")
        told, version = told_of_target(commands, "strategy", strategy)
        answer["strategy"] = {"strategy": strategy, "told": told, "version": version}
    return json_answer(answer)


@router.put("/api/v1/risk", **declared(body=True, also=(412,)))
@need("admin")
async def limits(
    request: Request,
    body: LimitsBody,
    if_match: Annotated[str | None, Header(description="`version` that you saw; not checked if not told")] = None,
) -> Response:
    """Tell limits of an account or of a strategy: what is not named stays, null is none. The newest count."""
    desk = desk_of(services_of(request))
    if not body.told:
        raise invalid("$", "name at least one limit")
    if body.account is not None and body.strategy is not None:
        raise invalid("$.strategy", "name an account or a strategy, not both")
    seen = await desk.look()
    target, name = "account", body.strategy or ""
    if body.strategy is None:
        name = desk.account(body.account, "$.account").name
    else:
        target = "strategy"
        if name not in seen.strategies:
            raise invalid("$.strategy", f"there is no strategy {name!r}{told_nearest(name, seen.strategies)}")
    before, version = told_of_target(await _commands(desk), target, name)
    if if_match is not None:
        version_in(if_match, version, f"the limits of {name}")
    told = before | body.told
    _, seq = await given(request, name, "limits", {target: name, **told})
    return json_answer({target: name, "told": told, "version": seq, "seq": seq})


@router.post("/api/v1/risk/halt", **declared(body=True))
@need("trade", counted=False)
async def halt(request: Request, body: Annotated[SwitchBody, Body()] = SwitchBody()) -> Response:  # noqa: B008
    """The kill switch: cancel all open orders and refuse new ones until an admin resumes; positions are kept."""
    return await _switched(request, body, "kill")


@router.post("/api/v1/risk/resume", **declared(body=True))
@need("admin", counted=False)
async def resume(request: Request, body: Annotated[SwitchBody, Body()] = SwitchBody()) -> Response:  # noqa: B008
    """End a halt, of the kill switch or of a limit that was broken."""
    return await _switched(request, body, "resume")


async def _switched(request: Request, body: SwitchBody, command: str) -> Response:
    whom = EVERYBODY
    if body.account is not None:
        names = [each.name for each in services_of(request).settings.accounts]
        if body.account not in names:
            hint = told_nearest(body.account, names)
            raise invalid("$.account", f"no account {body.account!r}{hint}; accounts are {', '.join(names)}")
        whom = body.account
    change = change_of(request)
    seq = int(change.earlier["written_seq"]) if change.earlier is not None else 0
    if not seq:
        row = command_row(whom, command, {"note": body.note}, caller_of(request).who)
        seq = await desk_of(services_of(request)).switch.write("commands", row)
    change.written_seq = seq
    return json_answer({"halted": command == "kill", "account": body.account, "seq": seq})


async def _commands(desk: Desk) -> list[GivenCommand]:
    fold = KeptCommands()
    await threaded(read_folds, str(desk.settings.file), True, commands=fold)
    return list(fold)
