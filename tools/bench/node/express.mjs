// An HTTP server as the Node backend had it: Express with the same middleware
// in the same order, the same check for administrators, and Agenda 5 behind
// POST /api/system/jobs/schedule. Its rate limits are too high to matter, and its
// access log goes to a file, as that of the api does.
//
//   node express.mjs URI PORT
//
// It prints one line of JSON when it is ready: the token of an administrator.
import Agenda from "agenda5";
import compression from "compression";
import cors from "cors";
import express from "express";
import rateLimit from "express-rate-limit";
import helmet from "helmet";
import jwt from "jsonwebtoken";
import { MongoClient } from "mongodb";
import morgan from "morgan";
import { createWriteStream, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [uri, port] = process.argv.slice(2);
const secret = "a secret of at least 32 bytes, for this run alone";
const log = join(tmpdir(), `express-${process.pid}.log`);
const lines = createWriteStream(log);
lines.once("open", () => unlinkSync(log)); // it lives as long as it is open

const client = await MongoClient.connect(uri);
const users = client.db().collection("users");
await users.insertOne({ email: "admin@example.com", role: "ADMIN", name: "Admin" });
const agenda = new Agenda({ db: { address: uri, collection: "agendaJobs" } });
await new Promise((resolve) => agenda.once("ready", resolve));

// sanitise takes what looks like a script out of every text of the body and the query.
function sanitise(request, _reply, next) {
  request.body = clean(request.body);
  request.query = clean(request.query);
  next();
}

function clean(value) {
  if (typeof value === "string") {
    return value
      .replace(/<script\b[^<]*(?:(?!<\/script>)<[^<]*)*<\/script>/gi, "")
      .replace(/javascript:/gi, "")
      .replace(/on\w+\s*=/gi, "");
  }
  if (Array.isArray(value)) return value.map(clean);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, clean(inner)]));
}

function warnOfLimit(request, _reply, next) {
  if (request.rateLimit?.remaining < 10) console.error(`${request.ip} is close to its limit`);
  next();
}

function warnOfSlowness(request, reply, next) {
  const began = Date.now();
  reply.on("finish", () => {
    const took = Date.now() - began;
    if (took > 1000) console.error(`${request.method} ${request.path} took ${took} ms`);
  });
  next();
}

const app = express();
app.use(helmet());
app.use(rateLimit({ windowMs: 900_000, max: 1e9, standardHeaders: true, legacyHeaders: false }));
app.use(compression());
app.use(express.json({ limit: "10mb" }));
app.use(express.urlencoded({ extended: true, limit: "10mb" }));
app.use(morgan("combined", { stream: lines }));
app.use(sanitise);
app.use(warnOfLimit);
app.use(warnOfSlowness);
app.use(cors({ origin: ["http://localhost:5173"], credentials: true }));

app.get("/", (_request, reply) =>
  reply.json({ message: "ETrainer Backend API is running!", timestamp: new Date().toISOString(), status: "healthy" }));

async function admin(request, reply, next) {
  try {
    const { email } = jwt.verify((request.header("Authorization") ?? "").split(" ")[1], secret);
    const user = await users.findOne({ email });
    if (!user) return reply.status(404).json({ message: "User not found" });
    if (user.role !== "ADMIN") return reply.status(403).json({ message: "Forbidden" });
    next();
  } catch {
    reply.status(401).send("Token expired");
  }
}

app.post("/api/system/jobs/schedule", admin, async (request, reply) => {
  try {
    const { name, data = {}, when = "now" } = request.body;
    if (!name) return reply.status(400).json({ error: "Job name is required" });
    const job = when === "now" ? await agenda.now(name, data) : await agenda.schedule(when, name, data);
    reply.json({ message: "Job scheduled successfully", job: { name, data, scheduled_for: job.attrs.nextRunAt } });
  } catch (error) {
    reply.status(500).json({ error: "Failed to schedule job", message: error.message });
  }
});

app.listen(Number(port), "127.0.0.1", () => {
  const token = jwt.sign({ id: "000000000000000000000000", email: "admin@example.com", role: "ADMIN" }, secret, { expiresIn: "1h" });
  console.log(JSON.stringify({ token }));
});
