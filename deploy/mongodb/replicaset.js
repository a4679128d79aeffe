// Makes a replica set of the members that compose.yaml starts, and the users of
// the programs with the passwords of .env. Run by mongosh at each "up"; where all
// is as it should be it changes nothing.
//
// It logs in as __system, the user that members are to each other, with their
// key. So it works before there is any user, and with a new password for root.
//
// mongosh waits for every call by itself, but not in the callbacks of map and
// the like: hence plain loops.

const SET = "rs0";
const settings = process.env;

// setting returns a variable, or ends with a sentence that names it.
function setting(name) {
  if (!settings[name]) throw new Error(`${name} is not set: run "make env", which adds it to .env`);
  return settings[name];
}

const database = settings.MONGO_DATABASE || "";
const members = (settings.MONGO_MEMBERS || "").split(",");
// How long members may take to come, in seconds: all of them for a new set, and
// those that are missing in a set that works without them.
const patience = Number(settings.MONGO_PATIENCE || 180);
const patienceForFew = Math.min(patience, 20);

// The rights that programs need, and no others. The worker's own is to see which
// indexes are used.
const ROLE = "indexUsage";
const ROLE_PRIVILEGES = [{ resource: { db: database, collection: "" }, actions: ["indexStats"] }];
const USERS = [
  { name: "root", roles: [{ role: "root", db: "admin" }] },
  { name: "migrate", roles: [{ role: "readWrite", db: database }, { role: "dbAdmin", db: database }] },
  { name: "api", roles: [{ role: "readWrite", db: database }] },
  { name: "worker", roles: [{ role: "readWrite", db: database }, { role: ROLE, db: "admin" }] },
  { name: "viewer", roles: [{ role: "read", db: database }] },
];

const started = Date.now();
const waited = () => (Date.now() - started) / 1000;
const changes = [];

function change(words) {
  changes.push(words);
  print(words);
}

// login connects as a user and returns the database admin; options select the
// servers.
function login(hosts, user, password, source, options) {
  const who = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  return connect(
    `mongodb://${who}@${hosts}/admin?authSource=${source}&serverSelectionTimeoutMS=3000&connectTimeoutMS=3000&${options}`,
  );
}

function asMember(hosts, options) {
  return login(hosts, "__system", setting("MONGO_KEY"), "local", options);
}

// told is what the driver says of a failure, on one line.
function told(error) {
  return String(error && error.message ? error.message : error).split("\n")[0];
}

function refused(error) {
  return error.code === 18 || /Authentication failed/i.test(told(error));
}

function nameOf(member) {
  return member.split(":")[0];
}

// ask returns what a member says of itself, or why it does not.
function ask(member) {
  try {
    const db = asMember(member, "directConnection=true");
    return { db, hello: db.hello() };
  } catch (error) {
    return { why: refused(error) ? "it was started with another MONGO_KEY" : told(error) };
  }
}

// call waits until the members have come. A set that has a primary may go on
// without the others.
function call() {
  for (;;) {
    const answers = [];
    const absent = [];
    let works = false;
    for (const member of members) {
      const answer = ask(member);
      answers.push(answer);
      if (answer.why) absent.push(`${member} never came (${answer.why}): see docker compose logs ${nameOf(member)}`);
      if (answer.hello && answer.hello.primary) works = true;
    }
    if (absent.length === 0) return answers;
    if (works && waited() > patienceForFew) {
      print(`warning: the replica set works without a member; ${absent.join("; ")}`);
      return answers;
    }
    if (waited() > patience) throw new Error(`after ${patience} s the member ${absent.join("; ")}`);
    sleep(1000);
  }
}

// initiate makes the set, unless a member is in one.
function initiate(answers) {
  for (const answer of answers) {
    if (answer.hello && answer.hello.setName) return;
  }
  const config = { _id: SET, members: [] };
  // The first is preferred, so that it is known where the load is.
  for (let i = 0; i < members.length; i++) config.members.push({ _id: i, host: members[i], priority: i === 0 ? 2 : 1 });
  try {
    answers[0].db.adminCommand({ replSetInitiate: config });
    change(`initiated the replica set ${SET} of ${members.join(", ")}`);
  } catch (error) {
    if (error.codeName !== "AlreadyInitialized") throw error;
  }
}

// primary waits until one is elected, and returns it.
function primary() {
  for (;;) {
    let why = "";
    try {
      const db = asMember(members.join(","), `replicaSet=${SET}&readPreference=primary`);
      if (db.hello().isWritablePrimary) return db;
    } catch (error) {
      why = ` (${told(error)})`;
    }
    if (waited() > patience) {
      throw new Error(
        `after ${patience} s the replica set ${SET} has no primary${why}: a majority of ${members.join(", ")} must run; see docker compose logs`,
      );
    }
    sleep(1000);
  }
}

// compare ends when the set has other members than it should have.
function compare(admin) {
  const has = [];
  for (const member of admin.adminCommand({ replSetGetConfig: 1 }).config.members) has.push(member.host);
  if (has.sort().join() !== [...members].sort().join()) {
    throw new Error(
      `the replica set has the members ${has.join(", ")}, and MONGO_MEMBERS names ${members.join(", ")}: change the one with rs.reconfig(), or the other`,
    );
  }
}

// follow waits until members that answered are part of the set.
function follow(admin, answers) {
  for (;;) {
    const behind = [];
    for (const member of admin.adminCommand({ replSetGetStatus: 1 }).members) {
      const at = members.indexOf(member.name);
      if (at >= 0 && !answers[at].why && !["PRIMARY", "SECONDARY"].includes(member.stateStr)) behind.push(member);
    }
    if (behind.length === 0) return;
    if (waited() > patience) {
      const first = behind[0];
      throw new Error(
        `after ${patience} s the member ${first.name} never came: it is ${first.stateStr}; see docker compose logs ${nameOf(first.name)}`,
      );
    }
    sleep(1000);
  }
}

// sorted is a value as text, whatever the order of its keys and items.
function sorted(value) {
  if (Array.isArray(value)) {
    const items = [];
    for (const item of value) items.push(sorted(item));
    return `[${items.sort().join()}]`;
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const fields = [];
  for (const key of Object.keys(value).sort()) fields.push(`${key}:${sorted(value[key])}`);
  return `{${fields.join()}}`;
}

function grantRole(admin) {
  const found = admin.runCommand({ rolesInfo: ROLE, showPrivileges: true }).roles;
  if (found.length === 0) {
    admin.runCommand({ createRole: ROLE, privileges: ROLE_PRIVILEGES, roles: [] });
    change(`created the role ${ROLE}`);
  } else if (sorted(found[0].privileges) !== sorted(ROLE_PRIVILEGES)) {
    admin.runCommand({ updateRole: ROLE, privileges: ROLE_PRIVILEGES });
    change(`changed the rights of the role ${ROLE}`);
  }
}

// knows reports whether a user has a password.
function knows(host, name, password) {
  try {
    login(host, name, password, "admin", "directConnection=true").adminCommand({ ping: 1 });
    return true;
  } catch (error) {
    if (refused(error)) return false;
    throw error;
  }
}

function grantUser(admin, { name, roles }) {
  const password = setting(`MONGO_${name.toUpperCase()}_PASSWORD`);
  const found = admin.runCommand({ usersInfo: name }).users;
  if (found.length === 0) {
    admin.runCommand({ createUser: name, pwd: password, roles, writeConcern: { w: "majority" } });
    change(`created the user ${name}`);
    return;
  }
  if (sorted(found[0].roles) !== sorted(roles)) {
    admin.runCommand({ updateUser: name, roles, writeConcern: { w: "majority" } });
    change(`changed the rights of the user ${name}`);
  }
  if (!knows(admin.hello().primary, name, password)) {
    admin.runCommand({ updateUser: name, pwd: password, writeConcern: { w: "majority" } });
    change(`changed the password of the user ${name}`);
  }
}

try {
  for (const name of ["MONGO_MEMBERS", "MONGO_DATABASE", "MONGO_KEY"]) setting(name);
  for (const user of USERS) setting(`MONGO_${user.name.toUpperCase()}_PASSWORD`);
  const answers = call();
  initiate(answers);
  const admin = primary();
  compare(admin);
  follow(admin, answers);
  grantRole(admin);
  for (const user of USERS) grantUser(admin, user);
  print(changes.length === 0 ? "the replica set and its users are as they should be" : "the replica set and its users are ready");
} catch (error) {
  print(told(error));
  quit(1);
}
