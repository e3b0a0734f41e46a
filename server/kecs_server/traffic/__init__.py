"""Load balancers: what leads requests to the targets of services, and checks their health."""
