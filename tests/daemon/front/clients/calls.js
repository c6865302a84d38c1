// A client on grpc-js: node calls.js SOCKET; see test_interop.py, whose words it speaks on stdin and stdout.
const grpc = require('@grpc/grpc-js');
const readline = require('readline');

const asIs = (bytes) => bytes;
const method = (path, kind = {}) => ({
  path, requestStream: false, responseStream: false, ...kind,
  requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
});
const Client = grpc.makeGenericClientConstructor({
  Echo: method('/test.Test/Echo'),
  Hang: method('/test.Test/Hang'),
  Repeat: method('/test.Test/Repeat', { responseStream: true }),
  New: method('/test.Test/New', { requestStream: true, responseStream: true }),
}, 'Test');
const client = new Client(`unix:${process.argv[2]}`, grpc.credentials.createInsecure(), {
  'grpc.max_receive_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 200,
});

const message = (text) => Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text)]);
const echo = (text) => new Promise((resolve, reject) =>
  client.Echo(message(text), (error, answer) => (error ? reject(error) : resolve(answer.subarray(2).toString()))));

function repeat(text) {
  const sizes = [];
  return new Promise((resolve, reject) => client.Repeat(message(text))
    .on('data', (data) => sizes.push(data.length)).on('error', reject).on('end', () => resolve(sizes)));
}

function unknown() {
  return new Promise((resolve) => client.New().on('data', asIs).on('error', (error) => resolve(error.code)));
}

let stopped = false;
async function load() {
  let calls = 0;
  const failures = [];
  const caller = async () => {
    for (; !stopped; calls += 1) await echo(`${calls}`).catch((error) => failures.push(`${error}`));
  };
  await Promise.all([caller(), caller(), caller(), caller()]);
  return { calls, failures };
}

let hanging;
const does = {
  echo: () => echo('hi'),
  repeat: async (text) => (await repeat(text)).reduce((sum, size) => sum + size, 0),
  unknown,
  hang: async () => { hanging = client.Hang(message(''), asIs); },
  cancel: async () => hanging.cancel(),
  load,
};

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const [name, ...rest] = line.split(' ');
  if (name === 'stop') stopped = true;
  else process.stdout.write(`${JSON.stringify((await does[name](rest.join(' '))) ?? null)}\n`);
}).on('close', () => process.exit());
