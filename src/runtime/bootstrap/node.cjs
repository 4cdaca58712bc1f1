// The Runtime API client for Node.js functions: what /var/runtime is on Lambda. Plain JavaScript over
// one raw socket: `http.Agent` costs several milliseconds an invocation.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const util = require('node:util');
const { pathToFileURL } = require('node:url');
const { Module } = require('node:module');

const TASK_ROOT = process.env.LAMBDA_TASK_ROOT;
const JSON_LOGS = process.env.AWS_LAMBDA_LOG_FORMAT === 'JSON';

class Connection {
  constructor(address) {
    const colon = address.lastIndexOf(':');
    this.address = address;
    this.buffer = Buffer.alloc(0);
    this.waiting = null;
    this.socket = net.connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)), noDelay: true });
    this.socket.on('data', (data) => {
      this.buffer = this.buffer.length === 0 ? data : Buffer.concat([this.buffer, data]);
      this.advance();
    });
    this.socket.on('error', () => process.exit(1));
    this.socket.on('close', () => process.exit(1));
  }

  call(method, route, headers = {}, body = '') {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
    const lines = [`${method} /2018-06-01/runtime/${route} HTTP/1.1`, `Host: ${this.address}`];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    lines.push(`Content-Length: ${bytes.length}`, '', '');
    const head = Buffer.from(lines.join('\r\n'), 'latin1');
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.socket.write(bytes.length === 0 ? head : Buffer.concat([head, bytes]));
    });
  }

  advance() {
    const end = this.buffer.indexOf('\r\n\r\n');
    if (end < 0 || !this.waiting) return;
    const headers = {};
    for (const line of this.buffer.toString('latin1', 0, end).split('\r\n').slice(1)) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
    }
    const length = Number(headers['content-length'] ?? 0);
    if (this.buffer.length < end + 4 + length) return;
    const body = this.buffer.subarray(end + 4, end + 4 + length);
    this.buffer = this.buffer.subarray(end + 4 + length);
    const { waiting } = this;
    this.waiting = null;
    waiting({ headers, body });
  }
}

class Fault extends Error {
  constructor(kind, message) {
    super(message);
    this.name = kind;
  }
}

let requestId;

function setUpConsole() {
  const levels = { log: 'INFO', info: 'INFO', debug: 'DEBUG', trace: 'TRACE', warn: 'WARN', error: 'ERROR' };
  for (const [name, level] of Object.entries(levels)) {
    console[name] = (...values) => {
      const time = new Date().toISOString();
      if (JSON_LOGS) {
        const entry = { timestamp: time, level, requestId, message: util.format(...values) };
        fs.writeSync(1, `${JSON.stringify(entry)}\n`);
        return;
      }
      // One record is one log event: inner line ends are carriage returns until they are shown.
      fs.writeSync(1, `${time}\t${requestId ?? 'undefined'}\t${level}\t${util.format(...values).replace(/\n/g, '\r')}\n`);
    };
  }
}

function describe(error) {
  if (error instanceof Error || (error && typeof error === 'object' && 'message' in error && 'stack' in error)) {
    return {
      errorType: String(error.name ?? 'Error'),
      errorMessage: String(error.message),
      trace: String(error.stack ?? '').split('\n'),
    };
  }
  return { errorType: typeof error, errorMessage: util.format(error), trace: [] };
}

function report(title, described) {
  const { trace, ...rest } = described;
  console.error(`${title}\t${JSON.stringify({ ...rest, stack: trace })}`);
}

function isModule(file) {
  if (file.endsWith('.mjs')) return true;
  if (file.endsWith('.cjs')) return false;
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (fs.existsSync(manifest)) {
      try {
        return JSON.parse(fs.readFileSync(manifest, 'utf8')).type === 'module';
      } catch {
        return false;
      }
    }
    if (path.dirname(folder) === folder || folder === TASK_ROOT) return false;
  }
}

async function load(name) {
  const match = /^((?:.*\/)?)([^./]+)\.(.+)$/.exec(name);
  if (!match || name.includes('..')) {
    if (name.includes('..')) throw new Fault('Runtime.MalformedHandlerName', `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
    throw new Fault('Runtime.MalformedHandlerName', 'Bad handler');
  }
  const [, folder, base, exported] = match;
  const stem = path.resolve(TASK_ROOT, folder, base);
  const file = ['', '.js', '.mjs', '.cjs'].map((end) => stem + end).find((candidate) => fs.existsSync(candidate) && fs.statSync(candidate).isFile());
  if (!file) {
    const looked = ['.js', '.mjs', '.cjs'].map((end) => base + end).join(', ');
    throw new Fault('Runtime.ImportModuleError', `Error: Cannot find module '${folder}${base}' (looked for ${looked} in ${path.join(TASK_ROOT, folder)})`);
  }
  let loaded;
  try {
    loaded = isModule(file) ? await import(pathToFileURL(file).href) : Module.createRequire(path.join(TASK_ROOT, 'noop.js'))(file);
  } catch (error) {
    if (error instanceof SyntaxError) {
      const fault = new Fault('Runtime.UserCodeSyntaxError', String(error));
      fault.stack = `Runtime.UserCodeSyntaxError: ${error}\n${error.stack}`;
      throw fault;
    }
    if (error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')) {
      const fault = new Fault('Runtime.ImportModuleError', String(error));
      fault.stack = `Runtime.ImportModuleError: ${error}\n${error.stack}`;
      throw fault;
    }
    throw error;
  }
  let handler = loaded;
  for (const part of exported.split('.')) handler = handler?.[part];
  if (handler === undefined) handler = exported.split('.').reduce((value, part) => value?.[part], loaded.default);
  if (handler === undefined) throw new Fault('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new Fault('Runtime.HandlerNotFound', `${name} is not a function`);
  return handler;
}

function context(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const value = {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: headers['lambda-runtime-client-context'] ? JSON.parse(headers['lambda-runtime-client-context']) : undefined,
    identity: headers['lambda-runtime-cognito-identity'] ? JSON.parse(headers['lambda-runtime-cognito-identity']) : undefined,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: headers['lambda-runtime-aws-tenant-id'],
  };
  value.getRemainingTimeInMillis = () => Math.max(deadline - Date.now(), 0);
  return value;
}

function run(handler, event, ctx, connection) {
  return new Promise((resolve, reject) => {
    // A handler that returns no promise is over when the event loop is empty, and its answer is what it
    // called back with, or null. Our own socket must not count as work meanwhile.
    let outcome = () => resolve(null);
    let waiting = false;
    const finish = () => {
      if (waiting) {
        process.removeListener('beforeExit', finish);
        connection.socket.ref();
      }
      outcome();
    };
    let called = false;
    const callback = (error, result) => {
      if (called) return;
      called = true;
      outcome = () => (error === undefined || error === null ? resolve(result) : reject(error));
      if (!ctx.callbackWaitsForEmptyEventLoop) finish();
    };
    ctx.done = callback;
    ctx.succeed = (result) => callback(null, result);
    ctx.fail = (error) => callback(error ?? 'handled');
    const result = handler(event, ctx, callback);
    if (result && typeof result.then === 'function') {
      result.then(resolve, reject);
      return;
    }
    if (called && !ctx.callbackWaitsForEmptyEventLoop) return;
    waiting = true;
    connection.socket.unref();
    process.once('beforeExit', finish);
  });
}

async function main() {
  setUpConsole();
  const connection = new Connection(process.env.AWS_LAMBDA_RUNTIME_API);
  const fatal = (kind) => async (error) => {
    const described = describe(error);
    if (kind) described.errorType = kind;
    report(kind ? 'Unhandled Promise Rejection ' : 'Uncaught Exception ', described);
    const route = requestId ? `invocation/${requestId}/error` : 'init/error';
    await connection.call('POST', route, { 'Lambda-Runtime-Function-Error-Type': described.errorType }, JSON.stringify(described));
    process.exit(kind ? 128 : 129);
  };
  process.on('uncaughtException', fatal(''));
  process.on('unhandledRejection', fatal('Runtime.UnhandledPromiseRejection'));

  let handler;
  try {
    handler = await load(process.env._HANDLER);
  } catch (error) {
    const described = describe(error);
    report('Uncaught Exception ', described);
    await connection.call('POST', 'init/error', { 'Lambda-Runtime-Function-Error-Type': described.errorType }, JSON.stringify(described));
    process.exit(1);
  }

  for (;;) {
    requestId = undefined;
    const { headers, body } = await connection.call('GET', 'invocation/next');
    requestId = headers['lambda-runtime-aws-request-id'];
    if (headers['lambda-runtime-trace-id']) process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
    else delete process.env._X_AMZN_TRACE_ID;
    let answer;
    try {
      answer = JSON.stringify(await run(handler, JSON.parse(body.toString('utf8')), context(headers), connection)) ?? 'null';
    } catch (error) {
      const described = describe(error);
      report('Invoke Error ', described);
      await connection.call('POST', `invocation/${requestId}/error`, { 'Lambda-Runtime-Function-Error-Type': described.errorType }, JSON.stringify(described));
      continue;
    }
    await connection.call('POST', `invocation/${requestId}/response`, { 'Content-Type': 'application/json' }, answer);
  }
}

main();
