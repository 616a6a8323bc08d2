"""`guard completion`: the script that teaches a shell to complete guard's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    guard completion bash > ~/.local/share/bash-completion/completions/guard
    guard completion zsh  > ~/.zfunc/_guard
    guard completion fish > ~/.config/fish/completions/guard.fish
    """
    kind = get_completion_class(shell)
    if kind is None:  # pragma: no cover - click knows all three
        raise click.UsageError(f"no completion for {shell}")
    root = ctx.find_root().command
    click.echo(kind(root, {}, "guard", "_GUARD_COMPLETE").source())
