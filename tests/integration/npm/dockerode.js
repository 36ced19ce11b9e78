// What people do with dockerode, against the engine at DOCKER_HOST.  Ends with "done" or a stack trace.
'use strict';
const assert = require('assert');
const { PassThrough } = require('stream');
const Docker = require('dockerode');

const docker = new Docker({ socketPath: process.env.DOCKER_HOST.replace('unix://', '') });

function text(stream) {
  return new Promise((resolve, reject) => {
    const parts = [];
    stream.on('data', (d) => parts.push(d));
    stream.on('end', () => resolve(Buffer.concat(parts)));
    stream.on('error', reject);
  });
}

async function demuxed(stream) {
  const out = new PassThrough(), err = new PassThrough();
  docker.modem.demuxStream(stream, out, err);
  const both = Promise.all([text(out), text(err)]);
  stream.on('end', () => { out.end(); err.end(); });
  return (await both).map(String);
}

async function main() {
  assert.strictEqual(String(await docker.ping()), 'OK');
  assert.ok((await docker.version()).ApiVersion);
  assert.ok((await docker.info()).ID);

  const seen = [];
  const events = await docker.getEvents({ filters: { type: ['container'] } });
  events.on('data', (d) => String(d).trim().split('\n').forEach((line) => seen.push(JSON.parse(line).Action)));

  const out = new PassThrough();
  const said = text(out);
  const [result, container] = await docker.run('busybox', ['sh', '-c', 'echo hello; exit 3'], out, { Tty: false });
  assert.strictEqual(result.StatusCode, 3);
  out.end();
  assert.match(String(await said), /hello/);
  await container.remove();

  const c = await docker.createContainer({
    Image: 'busybox', name: 'node-c', Cmd: ['cat'], OpenStdin: true, StdinOnce: true, AttachStdin: true,
    AttachStdout: true, AttachStderr: true, Labels: { who: 'dockerode' },
  });
  const io = await c.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true });
  const answer = demuxed(io);
  await c.start();
  io.write('to and fro\n');
  io.end();
  assert.strictEqual((await c.wait()).StatusCode, 0);
  assert.deepStrictEqual(await answer, ['to and fro\n', '']);
  assert.match(String(await c.logs({ stdout: true })), /to and fro/);
  await c.remove();

  const long = await docker.createContainer({ Image: 'busybox', name: 'node-l', Cmd: ['sleep', '1000'], HostConfig: { Init: true } });
  await long.start();
  const exec = await long.exec({ Cmd: ['sh', '-c', 'cat; echo problem >&2; exit 4'], AttachStdin: true, AttachStdout: true, AttachStderr: true });
  const stream = await exec.start({ hijack: true, stdin: true });
  const heard = demuxed(stream);
  stream.end('input\n');
  assert.deepStrictEqual(await heard, ['input\n', 'problem\n']);
  assert.strictEqual((await exec.inspect()).ExitCode, 4);

  const archive = await text(await long.getArchive({ path: '/etc/passwd' }));
  assert.ok(archive.length > 1024);
  await long.putArchive(archive, { path: '/tmp' });
  const stats = await long.stats({ stream: false });
  assert.ok(stats.memory_stats.usage > 0 && stats.cpu_stats.cpu_usage.total_usage > 0);
  assert.match((await long.top({ ps_args: '-ef' })).Titles.join(' '), /PID/);
  assert.ok((await long.changes()).some((x) => x.Path === '/tmp/passwd'));
  await long.update({ Memory: 64 << 20, MemorySwap: 128 << 20 });
  assert.strictEqual((await long.inspect()).HostConfig.Memory, 64 << 20);
  await long.rename({ name: 'node-m' });
  assert.strictEqual((await docker.listContainers({ filters: { name: ['node-m'] } })).length, 1);
  await long.pause();
  await long.unpause();

  const image = await long.commit({ repo: 'node-made', tag: '1', comment: 'made here' });
  assert.ok((await docker.getImage('node-made:1').inspect()).Id === image.Id);
  assert.ok((await docker.getImage('node-made:1').history()).length > 1);
  await docker.getImage('node-made:1').tag({ repo: 'node-made', tag: '2' });
  await long.stop();
  await long.remove({ v: true });
  await docker.getImage('node-made:2').remove();
  await docker.getImage('node-made:1').remove();

  const volume = await docker.createVolume({ Name: 'node-v', Labels: { a: 'b' } });
  assert.ok((await docker.getVolume(volume.name || volume.Name).inspect()).Mountpoint);
  await docker.getVolume('node-v').remove();
  const network = await docker.createNetwork({ Name: 'node-n' });
  assert.strictEqual((await network.inspect()).Name, 'node-n');
  await network.remove();
  await assert.rejects(docker.getContainer('nope').inspect(), (e) => e.statusCode === 404 && /No such container: nope/.test(e.message));
  assert.ok((await docker.df()).Images.length > 0);
  await docker.pruneContainers();

  events.destroy();
  for (const action of ['create', 'start', 'die', 'destroy', 'exec_create: sh -c cat; echo problem >&2; exit 4', 'rename', 'pause', 'unpause', 'commit', 'update'])
    assert.ok(seen.includes(action), `no event "${action}" in ${seen}`);
  console.log('done');
}

main().catch((e) => { console.error(e); process.exit(1); });
