const { db } = require("@/lib/db");

exports.GET = async (url) => {
  const slug = url.searchParams.get("organization") ?? process.env.DEFAULT_ORGANIZATION;
  const organization = await db.organizations.findUnique({ where: { slug } });
  if (!organization) return { status: 404, body: { error: "Organization not found" } };
  const matches = await db.funding_matches.findMany({ where: { organization_id: organization.id } });
  return {
    status: 200,
    body: {
      organization: organization.slug,
      matches: matches.map(({ id, program_id, score, status }) => ({ id, program_id, score: Number(score), status })),
    },
  };
};
