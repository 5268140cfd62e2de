"""Three servers of NATS on this machine, as the tests start them."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "support"))

from nats_cluster import NatsCluster, cluster

__all__ = ["NatsCluster", "cluster"]
