"""The release phase. An exit code other than zero stops the release: try `ambo config:set RELEASE_FAILS=1`."""

import os
import sys

print(f"preparing {os.environ.get('AMBO_RELEASE', '?')}", flush=True)
if os.environ.get("RELEASE_FAILS"):
    print("RELEASE_FAILS is set: this release must not go live", file=sys.stderr, flush=True)
    sys.exit(1)
