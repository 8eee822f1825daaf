"""What a pool looks like in a notebook: the live dashboard and the forms that outlive the kernel."""
