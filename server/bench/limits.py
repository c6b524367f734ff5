"""What the system allows: a connection is a descriptor, and a process may have only so many."""

import resource

#: Descriptors a process has beside its connections.
OWN = 64


def too_few_descriptors(connections: int) -> str:
    """Raise this process's limit, which its children inherit, so that so many connections fit into each.

    Returns an empty text if they do, or why not, for people.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OWN
    if soft == resource.RLIM_INFINITY or wanted <= soft:
        return ""
    if hard != resource.RLIM_INFINITY and wanted > hard:
        return (
            f"{connections:,} connections in a process need {wanted:,} descriptors, and the system allows {hard:,}: "
            f"raise the hard limit (ulimit -Hn {wanted}), or ask for fewer"
        )
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        return f"{connections:,} connections need {wanted:,} descriptors, and the limit stays at {soft:,}: {error}"
    return ""
