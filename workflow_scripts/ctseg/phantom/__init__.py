"""The built-in chest CT phantom: patients with nodules of known shape."""
