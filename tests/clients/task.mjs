// Run a task with the SDK for JavaScript, and print its exit code and the name of an error.
import {
  CreateClusterCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  waitUntilTasksStopped,
} from "@aws-sdk/client-ecs";

const ecs = new ECSClient({});
await ecs.send(new CreateClusterCommand({}));
const container = { name: "app", image: "busybox", memory: 64, command: ["sh", "-c", "exit 3"] };
await ecs.send(
  new RegisterTaskDefinitionCommand({ family: "app", containerDefinitions: [container] }),
);
const { tasks } = await ecs.send(new RunTaskCommand({ taskDefinition: "app" }));
const arns = tasks.map((task) => task.taskArn);
const patience = { client: ecs, maxWaitTime: 30, minDelay: 1, maxDelay: 1 };
await waitUntilTasksStopped(patience, { tasks: arns });
const described = await ecs.send(new DescribeTasksCommand({ tasks: arns }));
console.log(described.tasks[0].containers[0].exitCode);
if (!(described.tasks[0].createdAt instanceof Date)) throw new Error("createdAt is no date");
try {
  await ecs.send(new ListTasksCommand({ cluster: "none" }));
} catch (error) {
  console.log(error.name);
}
