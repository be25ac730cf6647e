// Calls of Vercel's own SDK, which checks every answer against its types. Prints what it did, fails at the first misfit.
import { createHash } from "node:crypto";
import { Vercel } from "@vercel/sdk";

const vercel = new Vercel({ serverURL: process.env.VERCEL_API_URL, bearerToken: process.env.VERCEL_API_TOKEN });
const done = [];

async function call(name, promise) {
  try {
    const value = await promise;
    done.push(name);
    return value;
  } catch (error) {
    console.error(`${name}: ${error.message}\n${error.pretty?.() ?? ""}\n${JSON.stringify(error.cause?.issues ?? error.cause?.message ?? "", null, 1)?.slice(0, 3000)}`);
    process.exit(1);
  }
}

async function ready(id) {
  for (;;) {
    const deployment = await call("getDeployment", vercel.deployments.getDeployment({ idOrUrl: id }));
    if (deployment.readyState === "ERROR") throw new Error("the build failed");
    if (deployment.aliasAssigned) return deployment;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

await call("getAuthUser", vercel.user.getAuthUser());
const project = await call("createProject", vercel.projects.createProject({ requestBody: { name: "sdk-shop" } }));
const idOrName = project.id;
await call("updateProject", vercel.projects.updateProject({ idOrName, requestBody: { autoAssignCustomDomains: false } }));
await call("createProjectEnv", vercel.projects.createProjectEnv({ idOrName, requestBody: { key: "KEY", value: "1", type: "encrypted", target: ["production"] } }));
const sensitive = await call("createProjectEnv", vercel.projects.createProjectEnv({ idOrName, requestBody: [{ key: "HIDDEN", value: "1", type: "sensitive", target: ["production", "preview"] }] }));
const id = sensitive.created[0].id;
await call("filterProjectEnvs", vercel.projects.filterProjectEnvs({ idOrName, decrypt: "true" }));
await call("getProjectEnv", vercel.projects.getProjectEnv({ idOrName, id }));
await call("editProjectEnv", vercel.projects.editProjectEnv({ idOrName, id, requestBody: { value: "2" } }));
await call("removeProjectEnv", vercel.projects.removeProjectEnv({ idOrName, id }));
await call("addProjectDomain", vercel.projects.addProjectDomain({ idOrName, requestBody: { name: "sdk.example.com" } }));
await call("getProjectDomains", vercel.projects.getProjectDomains({ idOrName }));
await call("getProjectDomain", vercel.projects.getProjectDomain({ idOrName, domain: "sdk.example.com" }));

const content = Buffer.from("export default (request, response) => response.end('ok');");
const sha = createHash("sha1").update(content).digest("hex");
await call("uploadFile", vercel.deployments.uploadFile({ contentLength: content.length, xVercelDigest: sha, requestBody: content }));
const requestBody = { name: "sdk-shop", project: project.id, target: "production", files: [{ file: "api/index.mjs", sha, size: content.length }] };
const created = await call("createDeployment", vercel.deployments.createDeployment({ requestBody }));
await ready(created.id);
const again = await call("createDeployment", vercel.deployments.createDeployment({ requestBody: { name: "sdk-shop", deploymentId: created.id, target: "production" } }));
await ready(again.id);
await call("requestPromote", vercel.projects.requestPromote({ projectId: project.id, deploymentId: created.id }));
await call("requestPromote", vercel.projects.requestPromote({ projectId: project.id, deploymentId: again.id }));
await call("requestRollback", vercel.projects.requestRollback({ projectId: project.id, deploymentId: created.id }));
await call("listPromoteAliases", vercel.projects.listPromoteAliases({ projectId: project.id }));
const found = await call("getProject", vercel.projects.getProject({ idOrName }));
if (found.targets.production.id !== created.id || found.lastAliasRequest.type !== "rollback") throw new Error("wrong production");
await call("getProjects", vercel.projects.getProjects({}));
await call("getDeployments", vercel.deployments.getDeployments({ projectId: project.id, limit: 5 }));
await call("getDeploymentEvents", vercel.deployments.getDeploymentEvents({ idOrUrl: created.id }));
await call("listAliases", vercel.aliases.listAliases({ projectId: project.id }));
await call("getAlias", vercel.aliases.getAlias({ idOrAlias: "sdk-shop.vercel.app" }));
await call("assignAlias", vercel.aliases.assignAlias({ id: again.id, requestBody: { alias: "other.vercel.app" } }));
await call("listDeploymentAliases", vercel.aliases.listDeploymentAliases({ id: again.id }));
await call("deleteAlias", vercel.aliases.deleteAlias({ aliasId: "other.vercel.app" }));
await call("updateProjectProtectionBypass", vercel.projects.updateProjectProtectionBypass({ idOrName, requestBody: {} }));
await call("removeProjectDomain", vercel.projects.removeProjectDomain({ idOrName, domain: "sdk.example.com" }));
await call("deleteDeployment", vercel.deployments.deleteDeployment({ id: again.id }));
await call("deleteProject", vercel.projects.deleteProject({ idOrName }));
console.log(new Set(done).size);
