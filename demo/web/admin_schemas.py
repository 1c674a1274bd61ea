"""What the administrator's routes take and give, as Pydantic models."""

from __future__ import annotations

from demo.web.schemas import Answer, Body, Id


class Hide(Body):
    hidden: bool


class Approve(Body):
    approved: bool


class Forget(Body):
    owner: Id


class ReportOut(Answer):
    generation_id: Id
    prompt: str
    reason: str
    created_at: str
    hidden: bool


class Reports(Answer):
    reports: list[ReportOut]


class Approved(Answer):
    id: Id
    approved: bool


class Hidden(Answer):
    id: Id
    hidden: bool
