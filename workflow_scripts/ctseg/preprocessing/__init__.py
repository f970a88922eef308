"""From a scan to the input of the network, and the plan that decides how."""
