"""An operation of the model without a handler is answered with 501 and a text that names it."""

from __future__ import annotations

from kecs_server.protocol.model import TARGET_PREFIX
from kecs_server.protocol.signature import SignedRequest
from kecs_server.state.realm import Realm
from kecs_server.state.realms import Realms
from probes.world import SECRET
from probes.world import Trusting


def test_it_is_said_of_a_whole_request() -> None:
    realm = Realm(id="r", name="probes", engine="process", images={}, wake=lambda _: None)
    dispatcher = Trusting(Realms(SECRET, lambda _: realm, lambda _: None), {}, strict_time=False)
    request = SignedRequest(
        method="POST",
        path="/",
        query="",
        headers={"x-amz-target": f"{TARGET_PREFIX}.PutAccountSetting"},
        body=b'{"name": "containerInsights", "value": "enabled"}',
    )
    answer = dispatcher.answer(request)
    assert (answer.status, answer.body["__type"]) == (501, "NotImplementedException")
    assert "PutAccountSetting" in answer.body["message"]
