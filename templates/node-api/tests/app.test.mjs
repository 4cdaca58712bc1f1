import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';

import { handler } from '../src/app.mjs';

test('the example event is greeted', async () => {
  const event = JSON.parse(await readFile(new URL('../events/event.json', import.meta.url), 'utf8'));
  const answer = await handler(event);
  assert.equal(answer.statusCode, 200);
  assert.deepEqual(JSON.parse(answer.body), { message: 'Hello, world!' });
});

test('nobody is a bad request', async () => {
  assert.equal((await handler({ pathParameters: { who: ' ' } })).statusCode, 400);
  assert.equal((await handler({ pathParameters: null })).statusCode, 400);
});
