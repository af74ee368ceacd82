"""What `brownie run` finds: deploy and publish, through Brownie's accounts and contract objects."""
