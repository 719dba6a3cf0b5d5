"""Whether the daemon of this container is alive: exit 0 if `/-/healthy` says so, 1 and the reason if not.

`AEMONITOR_HEALTH_URL` says where else to ask than `http://127.0.0.1:9464/-/healthy`. The certificate of a server that
listens for other names than 127.0.0.1 is not checked: nothing but "alive" is learned here, and nothing is sent.
"""

import os
import ssl
import sys
import urllib.error
import urllib.request

URL = os.environ.get("AEMONITOR_HEALTH_URL", "http://127.0.0.1:9464/-/healthy")


def main() -> int:
    """Ask once."""
    unchecked = ssl._create_unverified_context()  # noqa: S323, SLF001 - see above; there is no other short way
    try:
        with urllib.request.urlopen(URL, timeout=4, context=unchecked) as answer:  # noqa: S310 - the URL is the operator's
            sys.stdout.write(f"{answer.status} {URL}\n")
            return 0
    except (urllib.error.URLError, OSError) as error:
        sys.stdout.write(f"{URL}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
