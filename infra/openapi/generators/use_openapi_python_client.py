"""What the client of openapi-python-client has to do: as `use.ts` for the others."""

import os
from uuid import UUID, uuid4

from python_client import AuthenticatedClient
from python_client.api.properties import create_property, get_property
from python_client.models import Property, PropertyDraft

client = AuthenticatedClient(
    base_url=os.environ["RENTTRACKER_URL"], token=os.environ["RENTTRACKER_TOKEN"], raise_on_unexpected_status=True
)
draft = PropertyDraft(address="1 Generator St", weekly_rent_amount=450.5, lease_start_date="2026-01-01T00:00:00Z")
key = str(uuid4())
written = create_property.sync(client=client, body=draft, idempotency_key=key)
assert isinstance(written, Property), written
again = create_property.sync(client=client, body=draft, idempotency_key=key)
assert isinstance(again, Property) and again.id == written.id, again
read = get_property.sync(UUID(str(written.id)), client=client)
assert isinstance(read, Property), read
assert (read.id, read.address, read.weekly_rent_amount) == (written.id, draft.address, draft.weekly_rent_amount), read
print(f"openapi-python-client: wrote and read {read.id}")
