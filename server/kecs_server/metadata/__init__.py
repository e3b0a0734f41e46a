"""What a container can ask about itself over HTTP (ecs-facts 17): metadata, statistics, the
credentials of its role, and the agent's API. Its own id, which only it was told, is the key.
"""
