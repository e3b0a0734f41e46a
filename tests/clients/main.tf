terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {}

variable "tasks" {
  default = 1
}

resource "aws_ecs_cluster" "main" {
  name = "from-terraform"
  tags = { a = "b" }
}

resource "aws_ecs_task_definition" "web" {
  family = "web"
  container_definitions = jsonencode([{
    name    = "app"
    image   = "busybox"
    memory  = 64
    command = ["sleep", "600"]
  }])
}

resource "aws_ecs_service" "web" {
  name                  = "web"
  cluster               = aws_ecs_cluster.main.id
  task_definition       = aws_ecs_task_definition.web.arn
  desired_count         = var.tasks
  wait_for_steady_state = true
}
