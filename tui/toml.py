"""Values as TOML writes them: what `config show` and `config template` print, and errors suggest."""


def as_toml(value: object) -> str:
    """Return a text, number, flag or list of texts as TOML writes it, on one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            import json

            # JSON's escapes are TOML's, too. Only a DEL may stand in JSON as it is, and not in TOML.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int():
            return str(value)
        case float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(as_toml, value))}]"
    raise TypeError(f"{type(value).__name__} is nothing that stands in a configuration")
