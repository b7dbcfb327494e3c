"""``weir sigma``: reads Sigma correlation rules."""

from pathlib import Path

import click

from schemas.errors import InputError, UsageError

EXAMPLES = """\b
Examples:
  weir sigma rules/profile_enumeration.yml > limits.toml
"""


@click.command("sigma", epilog=EXAMPLES)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
def sigma(files: tuple[Path, ...]) -> None:
    """Print limits of the detector profile_rate for Sigma's value_count correlations, as a part of a configuration.

    What Weir cannot express is said on standard error, rule by rule. Exit status 2 when nothing could be.
    """
    try:
        from streams.offline.sigma import Translation, translate
    except ModuleNotFoundError as error:
        raise UsageError("reading Sigma needs pySigma: install weir[sigma]") from error
    made = Translation()
    for file in files:
        try:
            translate(file.read_text(encoding="utf-8"), str(file), made)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(str(file), getattr(error, "strerror", None) or str(error)) from error
    for remark in made.remarks:
        click.echo(remark, err=True)
    if not made.limits:
        raise UsageError("none of the rules can be expressed")
    click.echo(made.toml(), nl=False)
