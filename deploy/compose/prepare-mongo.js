// Makes the replica set, an administrator and the user of esoz. Run again it changes nothing.
const { readFileSync } = require("fs");

const credentials = "/run/credentials";
const password = (name) => readFileSync(`${credentials}/${name}`, "utf8");
const options = `tls=true&tlsCAFile=${credentials}/authority.pem&directConnection=true`;
const open = (login = "") => connect(`mongodb://${login}localhost:27017/admin?${options}`);
const asAdmin = () => open(`admin:${password("admin-password")}@`);

// The deadline for the server to start, and for the member to become the primary.
const deadline = Date.now() + 120_000;
function until(what, attempt) {
  for (;;) {
    try {
      const result = attempt();
      if (result) return result;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    sleep(500);
  }
}

const server = until("the server answers", () => open());
if (!server.hello().setName) {
  server.adminCommand({ replSetInitiate: { _id: "rs0", members: [{ _id: 0, host: "mongo:27017" }] } });
}
until("the member is the primary", () => server.hello().isWritablePrimary);

let admin;
try {
  admin = asAdmin();
} catch {
  // There is no user yet: this machine may make the first.
  server.adminCommand({ createUser: "admin", pwd: password("admin-password"), roles: ["userAdminAnyDatabase"] });
  admin = asAdmin();
}
if (admin.getUser("esoz") === null) {
  const roles = [{ role: "readWrite", db: "esoz" }];
  admin.adminCommand({ createUser: "esoz", pwd: password("esoz-password"), roles });
}
