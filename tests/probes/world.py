"""An account with something of each kind in it, and the server's API without HTTP in front."""

from __future__ import annotations

import json
import pickle
from collections.abc import Container
from typing import Any

from kecs_server.domain.task import Status
from kecs_server.domain.task import move
from kecs_server.operations.table import all_operations
from kecs_server.protocol.dispatch import Answer
from kecs_server.protocol.dispatch import Dispatcher
from kecs_server.protocol.model import TARGET_PREFIX
from kecs_server.protocol.signature import Caller
from kecs_server.protocol.signature import SignedRequest
from kecs_server.scheduler import services
from kecs_server.state.realm import Realm
from kecs_server.state.realms import Realms
from probes.reads import watching

ACCOUNT = "123456789012"
REGION = "us-east-1"
KEY = "KECSPROBE"
SECRET = "probe"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}


class Trusting(Dispatcher):
    """Takes every request for one of KEY's: signatures are tested elsewhere."""

    def authenticate(self, request: SignedRequest) -> Caller:
        return Caller(access_key=KEY, region=REGION, service="ecs")


class World:
    """A realm that goes back to how it was after each accepted request. Nothing runs in it."""

    def __init__(self, lacking: Container[str] = ()) -> None:
        """:param lacking: operations that the server shall not have, once the world is made."""
        self.realm = Realm(id="r", name="probes", engine="process", images={}, wake=lambda _: None)
        realms = Realms(SECRET, lambda _: self.realm, lambda _: None)
        operations = watching(all_operations().operations())
        self._dispatcher = Trusting(realms, operations, strict_time=False)
        self.names = self._furnish()
        there = {name: each for name, each in operations.items() if name not in lacking}
        self._dispatcher = Trusting(realms, there, strict_time=False)
        self._furnished = self.state()

    def _furnish(self) -> dict[str, Any]:
        """:returns: what stands for one thing of each kind."""
        for name in ("default", "empty", "gone"):
            self.get("CreateCluster", clusterName=name)
        self.get("DeleteCluster", cluster="gone")
        self.get(
            "CreateCapacityProvider",
            name="group",
            autoScalingGroupProvider={"autoScalingGroupArn": "group"},
        )
        self.get(
            "PutClusterCapacityProviders",
            cluster="default",
            capacityProviders=["FARGATE"],
            defaultCapacityProviderStrategy=[],
        )
        app = {"name": "app", "image": "busybox", "memory": 64, "cpu": 8}
        for family in ("app", "app", "old"):
            self.get("RegisterTaskDefinition", family=family, containerDefinitions=[app])
        self.get("DeregisterTaskDefinition", taskDefinition="old:1")
        self.get(
            "RegisterTaskDefinition",
            family="far",
            containerDefinitions=[{**app, "portMappings": [{"name": "web", "containerPort": 80}]}],
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="512",
        )
        run = self.get("RunTask", taskDefinition="app", enableExecuteCommand=True)
        (task,) = self.realm.tasks()
        move(task, Status.RUNNING, self.realm.clock.now())
        for container in task.containers:
            container.last_status = "RUNNING"
        express = self.get(
            "CreateExpressGatewayService",
            infrastructureRoleArn="arn:aws:iam::123456789012:role/x",
            executionRoleArn="arn:aws:iam::123456789012:role/y",
            primaryContainer={"image": "web"},
            serviceName="express",
        )
        hook = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}
        made = self.get(
            "CreateService",
            serviceName="web",
            taskDefinition="app",
            desiredCount=1,
            deploymentConfiguration={"lifecycleHooks": [hook]},
        )
        old, instance = (
            self.get("RegisterContainerInstance", versionInfo={"agentVersion": version})[
                "containerInstance"
            ]["containerInstanceArn"]
            for version in ("1.0.0", "1.99.0")
        )
        self.get("DiscoverPollEndpoint", containerInstance=instance)
        remote = self.get(
            "StartTask",
            taskDefinition="far",
            containerInstances=[instance],
            networkConfiguration=NETWORK,
        )["tasks"][0]
        attachment = remote["attachments"][0]["id"]
        deployment = made["service"]["currentServiceDeployment"]
        return {
            **self._make_gateways(),
            **self._make_daemon(),
            "task set": self._make_task_set(),
            "express": express["service"]["serviceArn"],
            "cluster": self.arn("cluster/default"),
            "instance": instance,
            "old agent": old,
            "remote task": remote["taskArn"],
            "attachment": self.arn(f"attachment/{attachment}"),
            "task": run["tasks"][0]["taskArn"],
            "service": made["service"]["serviceArn"],
            "definition": self.arn("task-definition/app:1"),
            "deployment": deployment,
            "revision": made["service"]["currentServiceRevisions"][0]["arn"],
            "hook": self._paused(deployment),
        }

    def _make_task_set(self) -> str:
        """The id of one that is not primary."""
        self.get(
            "CreateService",
            serviceName="external",
            desiredCount=2,
            deploymentController={"type": "EXTERNAL"},
        )
        made = self.get(
            "CreateTaskSet",
            cluster="default",
            service="external",
            taskDefinition="app",
            scale={"value": 100},
        )
        return str(made["taskSet"]["id"])

    def _make_daemon(self) -> dict[str, Any]:
        """On a provider of managed instances."""
        provider = self.get(
            "CreateCapacityProvider",
            name="instances",
            cluster="default",
            managedInstancesProvider={
                "infrastructureRoleArn": "arn:aws:iam::123456789012:role/x",
                "instanceLaunchTemplate": {
                    "ec2InstanceProfileArn": "arn:aws:iam::123456789012:instance-profile/x",
                    "networkConfiguration": NETWORK["awsvpcConfiguration"],
                },
            },
        )["capacityProvider"]["capacityProviderArn"]
        definition = self.get(
            "RegisterDaemonTaskDefinition",
            family="agent",
            containerDefinitions=[{"name": "agent", "image": "busybox"}],
        )["daemonTaskDefinitionArn"]
        made = self.get(
            "CreateDaemon",
            daemonName="logs",
            daemonTaskDefinitionArn=definition,
            capacityProviderArns=[provider],
        )
        daemon = self.get("DescribeDaemon", daemonArn=made["daemonArn"])["daemon"]
        return {
            "instances": provider,
            "daemon definition": definition,
            "daemon": made["daemonArn"],
            "daemon deployment": made["deploymentArn"],
            "daemon revision": daemon["currentRevisions"][0]["arn"],
        }

    def _make_gateways(self) -> dict[str, Any]:
        """One with a route, and one that can be deleted."""
        role = "arn:aws:iam::123456789012:role/x"
        for name in ("front", "free"):
            self.get(
                "CreateGateway",
                name=name,
                infrastructureRoleArn=role,
                configuration={"hostSharedAlb": {}},
                deletionProtection=name == "front",
            )
        self.get("AssociateGatewayWithCluster", gateway="front", cluster="default")
        self.get(
            "CreateService",
            serviceName="behind",
            taskDefinition="far",
            desiredCount=0,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
            gatewayConnectors=[{"portName": "web"}],
        )
        (route,) = self.get("ListGatewayRoutes")["gatewayRoutes"]
        return {"free gateway": "free", "route": route["gatewayRouteArn"]}

    def _paused(self, deployment: str) -> str:
        """The id of the hook at which the service deployment waits, once it has been looked at."""
        cluster = self.realm.store(ACCOUNT, REGION).clusters["default"]
        services.reconcile(cluster, cluster.services["web"], self.realm.clock.now())
        described = self.get("DescribeServiceDeployments", serviceDeploymentArns=[deployment])
        return str(described["serviceDeployments"][0]["lifecycleHookDetails"][0]["hookId"])

    def arn(self, resource: str) -> str:
        return f"arn:aws:ecs:{REGION}:{ACCOUNT}:{resource}"

    def state(self) -> bytes:
        """All that is kept, as bytes: the same ones when nothing has changed."""
        return pickle.dumps(self.realm._stores)

    def restore(self) -> None:
        self.realm._stores = pickle.loads(self._furnished)
        self.realm.dirty_tasks.clear()
        self.realm.dirty_services.clear()
        self.realm.dirty_managed.clear()

    def ask(self, operation: str, body: bytes) -> Answer:
        request = SignedRequest(
            method="POST",
            path="/",
            query="",
            headers={"x-amz-target": f"{TARGET_PREFIX}.{operation}"},
            body=body,
        )
        return self._dispatcher.answer(request)

    def get(self, operation: str, **params: Any) -> Any:
        answer = self.ask(operation, json.dumps(params).encode())
        assert answer.status == 200, (operation, params, answer)
        return answer.body
