// Runs deploy/mongodb/replicaset.js against servers that exist only here: they
// answer the commands that it sends, as MongoDB does, and note every change.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import vm from "node:vm";

const script = readFileSync(new URL("../../../../deploy/mongodb/replicaset.js", import.meta.url), "utf8");
const MEMBERS = ["mongo1:27017", "mongo2:27017", "mongo3:27017"];

class ServerError extends Error {
  constructor(message, code, codeName) {
    super(message);
    Object.assign(this, { code, codeName });
  }
}

// A cluster is what the servers hold; time passes only when somebody sleeps.
function cluster(hosts = MEMBERS) {
  return {
    hosts, now: 0, config: null, electedAt: Infinity, users: {}, roles: {}, changes: [],
    key: "the key", down: new Set(), comesAt: {}, states: {}, otherKey: new Set(),
  };
}

function up(c, host) {
  return !c.down.has(host) && c.now >= (c.comesAt[host] ?? 0);
}

// elect: a majority has a primary five seconds after it can.
function elected(c) {
  if (!c.config) return undefined;
  const alive = c.config.members.filter((m) => up(c, m.host));
  if (alive.length * 2 <= c.config.members.length || c.now < c.electedAt) return undefined;
  return alive[0].host;
}

function database(c, host, who) {
  const commands = {
    ping: () => ({ ok: 1 }),
    replSetInitiate(command) {
      assert.equal(who, "__system");
      if (c.config) throw new ServerError("already initialized", 23, "AlreadyInitialized");
      c.config = command.replSetInitiate;
      c.electedAt = c.now + 5000;
      c.changes.push("initiate");
      return { ok: 1 };
    },
    replSetGetConfig: () => ({ config: c.config }),
    replSetGetStatus: () => ({
      members: c.config.members.map((m) => ({
        name: m.host,
        stateStr: !up(c, m.host) ? "(not reachable/healthy)" : (c.states[m.host] ?? (m.host === elected(c) ? "PRIMARY" : "SECONDARY")),
      })),
    }),
    usersInfo: ({ usersInfo }) => ({ users: c.users[usersInfo] ? [{ user: usersInfo, db: "admin", roles: c.users[usersInfo].roles }] : [] }),
    createUser({ createUser, pwd, roles }) {
      assert.equal(host, elected(c), "only the primary takes writes");
      assert.ok(!c.users[createUser] && pwd && roles.length > 0);
      c.users[createUser] = { pwd, roles };
      c.changes.push(`create ${createUser}`);
    },
    updateUser({ updateUser, pwd, roles }) {
      if (pwd) c.users[updateUser].pwd = pwd;
      if (roles) c.users[updateUser].roles = roles;
      c.changes.push(`update ${updateUser}${pwd ? " password" : ""}${roles ? " roles" : ""}`);
    },
    rolesInfo: ({ rolesInfo }) => ({
      // The server orders keys as it likes, and adds fields.
      roles: c.roles[rolesInfo] ? [{ role: rolesInfo, db: "admin", isBuiltin: false, privileges: c.roles[rolesInfo].map(({ actions, resource }) => ({ actions, resource: { collection: resource.collection, db: resource.db } })) }] : [],
    }),
    createRole({ createRole, privileges }) {
      c.roles[createRole] = privileges;
      c.changes.push(`create role ${createRole}`);
    },
    updateRole({ updateRole, privileges }) {
      c.roles[updateRole] = privileges;
      c.changes.push(`update role ${updateRole}`);
    },
  };
  const run = (command) => {
    const name = Object.keys(command)[0];
    assert.ok(commands[name], `unexpected command ${name}`);
    return commands[name](command);
  };
  return {
    hello: () => ({ setName: c.config ? "rs0" : undefined, primary: elected(c), isWritablePrimary: host === elected(c) }),
    adminCommand: run,
    runCommand: run,
  };
}

function connect(c, uri) {
  const [, user, password, hosts, query] = /^mongodb:\/\/(.*?):(.*?)@(.*?)\/admin\?(.*)$/.exec(uri);
  const options = new URLSearchParams(query);
  let host = hosts;
  if (options.get("replicaSet")) {
    host = elected(c);
    if (!host) throw new ServerError("Server selection timed out after 3000 ms");
  }
  if (!up(c, host)) throw new ServerError(`connect ECONNREFUSED ${host}`);
  const known = user === "__system"
    ? options.get("authSource") === "local" && password === encodeURIComponent(c.key) && !c.otherKey.has(host)
    : c.users[user] && encodeURIComponent(c.users[user].pwd) === password;
  if (!known) throw new ServerError("Authentication failed.", 18, "AuthenticationFailed");
  return database(c, host, user);
}

class Quit extends Error {}

// run runs the script as mongosh does, and returns what it printed and its code.
function run(c, change = {}) {
  const out = [];
  let code = 0;
  const env = {
    MONGO_MEMBERS: c.hosts.join(","), MONGO_DATABASE: "etrainer", MONGO_KEY: "the key", MONGO_PATIENCE: "60",
    MONGO_ROOT_PASSWORD: "r/1", MONGO_MIGRATE_PASSWORD: "m@1", MONGO_API_PASSWORD: "a:1", MONGO_WORKER_PASSWORD: "w%1", MONGO_VIEWER_PASSWORD: "v1",
    ...change,
  };
  const begin = 1_000_000 + c.now;
  try {
    vm.runInNewContext(script, {
      process: { env },
      print: (line) => out.push(String(line)),
      sleep: (ms) => void (c.now += ms),
      connect: (uri) => connect(c, uri),
      quit: (n) => { code = n; throw new Quit(); },
      Date: { now: () => begin + c.now },
    });
  } catch (error) {
    if (!(error instanceof Quit)) throw error;
  }
  return { code, out, text: out.join("\n"), secrets: Object.entries(env).filter(([name]) => /KEY|PASSWORD/.test(name)).map(([, value]) => value) };
}

test("a first run makes the set and the users, a second changes nothing", () => {
  const c = cluster();
  c.comesAt = { "mongo2:27017": 7000, "mongo3:27017": 12000 };
  const first = run(c);
  assert.equal(first.code, 0, first.text);
  assert.equal(c.config.members.map((m) => m.host).join(), MEMBERS.join());
  assert.deepEqual(c.changes, ["initiate", "create role indexUsage", "create root", "create migrate", "create api", "create worker", "create viewer"]);
  for (const secret of first.secrets) assert.ok(!first.text.includes(secret), "a secret was printed");

  const second = run(c);
  assert.equal(second.code, 0, second.text);
  assert.equal(c.changes.length, 7, c.changes.join());
  assert.deepEqual(second.out, ["the replica set and its users are as they should be"]);
});

test("programs get no more than they need", () => {
  const c = cluster();
  run(c);
  const rights = Object.fromEntries(Object.entries(c.users).map(([name, user]) => [name, user.roles.map((r) => `${r.role}@${r.db}`).join()]));
  assert.deepEqual(rights, {
    root: "root@admin", migrate: "readWrite@etrainer,dbAdmin@etrainer", api: "readWrite@etrainer", worker: "readWrite@etrainer,indexUsage@admin", viewer: "read@etrainer",
  });
});

test("what a crash left half done is completed", () => {
  const c = cluster();
  run(c);
  delete c.users.worker;
  c.roles = {};
  c.changes = [];
  assert.equal(run(c).code, 0);
  assert.deepEqual(c.changes, ["create role indexUsage", "create worker"]);
});

test("new passwords and rights are set, root's too, and a new key is no matter", () => {
  const c = cluster();
  run(c);
  c.changes = [];
  c.users.viewer.roles = [{ role: "root", db: "admin" }];
  c.key = "new key";
  const result = run(c, { MONGO_KEY: "new key", MONGO_ROOT_PASSWORD: "r2", MONGO_API_PASSWORD: "a2" });
  assert.equal(result.code, 0, result.text);
  assert.deepEqual(c.changes, ["update root password", "update api password", "update viewer roles"]);
  assert.equal(c.users.root.pwd, "r2");
});

test("a member that never comes is named, and nothing is made", () => {
  const c = cluster();
  c.down.add("mongo3:27017");
  const result = run(c);
  assert.equal(result.code, 1);
  assert.deepEqual(result.out, ["after 60 s the member mongo3:27017 never came (connect ECONNREFUSED mongo3:27017): see docker compose logs mongo3"]);
  assert.deepEqual(c.changes, []);
});

test("a member with another key is named", () => {
  const c = cluster();
  c.otherKey.add("mongo2:27017");
  const result = run(c);
  assert.equal(result.code, 1);
  assert.match(result.text, /^after 60 s the member mongo2:27017 never came \(it was started with another MONGO_KEY\)/);
});

test("a set that works goes on without one member, and says so", () => {
  const c = cluster();
  run(c);
  c.down.add("mongo2:27017");
  const begin = c.now;
  const result = run(c);
  assert.equal(result.code, 0, result.text);
  assert.match(result.out[0], /^warning: the replica set works without a member; mongo2:27017 never came/);
  assert.ok(c.now - begin < 30_000, "it waited as if it were a new set");
});

test("a set without a majority is an error", () => {
  const c = cluster();
  run(c);
  c.electedAt = Infinity;
  const result = run(c);
  assert.equal(result.code, 1);
  assert.match(result.text, /^after 60 s the replica set rs0 has no primary .*: a majority of mongo1:27017, mongo2:27017, mongo3:27017 must run/);
});

test("a member that does not follow is named", () => {
  const c = cluster();
  c.states["mongo3:27017"] = "STARTUP2";
  const result = run(c);
  assert.equal(result.code, 1);
  assert.match(result.text, /after 60 s the member mongo3:27017 never came: it is STARTUP2; see docker compose logs mongo3$/);
});

test("a set of other members is left alone", () => {
  const c = cluster();
  run(c);
  c.changes = [];
  c.hosts = ["mongo1:27017"];
  const result = run(c);
  assert.equal(result.code, 1);
  assert.match(result.text, /^the replica set has the members mongo1:27017, mongo2:27017, mongo3:27017, and MONGO_MEMBERS names mongo1:27017: /);
  assert.deepEqual(c.changes, []);
});

test("one member is a set, too", () => {
  const c = cluster(["mongo1:27017"]);
  assert.equal(run(c).code, 0);
  assert.equal(c.config.members.length, 1);
});

for (const name of ["MONGO_KEY", "MONGO_MEMBERS", "MONGO_WORKER_PASSWORD"]) {
  test(`without ${name} nothing is tried`, () => {
    const c = cluster();
    const result = run(c, { [name]: "" });
    assert.deepEqual([result.code, result.text], [1, `${name} is not set: run "make env", which adds it to .env`]);
    assert.deepEqual(c.changes, []);
  });
}
