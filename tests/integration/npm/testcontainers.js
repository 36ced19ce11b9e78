// What people do with testcontainers, against the engine at DOCKER_HOST.  Ends with "done" or a stack trace.
'use strict';
const assert = require('assert');
const http = require('http');
const { GenericContainer, Network, Wait } = require('testcontainers');

function get(host, port, path) {
  return new Promise((resolve, reject) => {
    http.get({ host, port, path }, (r) => {
      let body = '';
      r.on('data', (d) => { body += d; });
      r.on('end', () => resolve(body));
    }).on('error', reject);
  });
}

async function main() {
  const network = await new Network().start();
  const web = await new GenericContainer('busybox')
    .withNetwork(network).withNetworkAliases('web')
    .withCopyContentToContainer([{ content: 'copied in\n', target: '/www/index.html' }])
    .withCommand(['sh', '-c', 'echo ready; exec httpd -f -p 8080 -h /www'])
    .withEnvironment({ GREETING: 'hi' })
    .withExposedPorts(8080)
    .withWaitStrategy(Wait.forAll([Wait.forLogMessage('ready'), Wait.forListeningPorts()]))
    .start();
  assert.strictEqual(await get(web.getHost(), web.getMappedPort(8080), '/'), 'copied in\n');
  const inside = await web.exec(['sh', '-c', 'echo $GREETING; exit 7']);
  assert.strictEqual(inside.output, 'hi\n');
  assert.strictEqual(inside.exitCode, 7);

  const peer = await new GenericContainer('busybox').withNetwork(network).withCommand(['sleep', '1000'])
    .withHealthCheck({ test: ['CMD-SHELL', 'test -e /tmp/ok || touch /tmp/ok'], interval: 200, timeout: 1000, retries: 3 })
    .withWaitStrategy(Wait.forHealthCheck()).start();
  assert.match((await peer.exec(['wget', '-q', '-O', '-', 'http://web:8080/'])).output, /copied in/);

  const tar = await web.copyArchiveFromContainer('/www/index.html');
  let bytes = 0;
  for await (const d of tar) bytes += d.length;
  assert.ok(bytes >= 1024);
  await web.restart({ timeout: 1 });
  const logs = await web.logs();
  logs.destroy();
  await peer.stop({ timeout: 0 });
  await web.stop({ timeout: 0 });
  await network.stop();
  console.log('done');
}

main().then(() => process.exit(0)).catch((e) => { console.error(e); process.exit(1); });
