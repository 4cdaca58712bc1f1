// GET /greet/{who}

export const handler = async (event) => {
  const who = (event.pathParameters?.who ?? '').trim();
  if (who === '') {
    return answer(400, { error: 'greet whom?' });
  }
  return answer(200, { message: `Hello, ${who}!` });
};

const answer = (statusCode, body) => ({
  statusCode,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
