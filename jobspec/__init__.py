"""What can be asked of the studio: the union of job kinds, their fields and ranges, their JSON form, and who runs them.

A field is added here and where it is used; the API's schema, the database's row, the worker, the command line and the
page are derived from it. A kind is added by `register` and a runner (demo/worker/runners.py). Pydantic and the standard
library only.
"""

from __future__ import annotations

from jobspec.draw import Draw, PictureSize, Shapes, Vary
from jobspec.edit import Edit, Form, Replacement
from jobspec.fabric import Apply, Pattern
from jobspec.fields import SEEDS, bounds
from jobspec.job import ID, KINDS, AnyJob, Job, of_row, parse, register, removed, schema
from jobspec.running import BatchStep, Cancelled, Order, Result, ResultPicture, Runner, Warned
from jobspec.styles import StyleUse, take_tags

__all__ = [
    "ID", "KINDS", "SEEDS", "AnyJob", "Apply", "BatchStep", "Cancelled", "Draw", "Edit", "Form", "Job", "Order",
    "Pattern", "PictureSize", "Replacement", "Result", "ResultPicture", "Runner", "Shapes", "StyleUse", "Vary",
    "Warned", "bounds", "of_row", "parse", "register", "removed", "schema", "take_tags",
]  # fmt: skip
