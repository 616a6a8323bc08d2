"""The operations of GitHub's REST API that the double serves: each with its page, and the examples it starts from."""

from __future__ import annotations

PAGES = "https://docs.github.com/en/rest/"
REPO = "/repos/{owner}/{repo}"

OPERATIONS = {
    "GET /user": "users/users#get-the-authenticated-user",
    f"GET {REPO}": "repos/repos#get-a-repository",
    f"GET {REPO}/git/ref/{{ref}}": "git/refs#get-a-reference",
    f"GET {REPO}/pulls": "pulls/pulls#list-pull-requests",
    f"GET {REPO}/pulls/{{pull_number}}": "pulls/pulls#get-a-pull-request",
    f"GET {REPO}/pulls/{{pull_number}}/reviews": "pulls/reviews#list-reviews-for-a-pull-request",
    f"GET {REPO}/issues": "issues/issues#list-repository-issues",
    f"GET {REPO}/issues/{{issue_number}}": "issues/issues#get-an-issue",
    f"POST {REPO}/issues": "issues/issues#create-an-issue",
    f"PATCH {REPO}/issues/{{issue_number}}": "issues/issues#update-an-issue",
    f"GET {REPO}/activity": "repos/repos#list-repository-activities",
    f"GET {REPO}/issues/{{issue_number}}/comments": "issues/comments#list-issue-comments",
    f"POST {REPO}/issues/{{issue_number}}/comments": "issues/comments#create-an-issue-comment",
    f"PATCH {REPO}/issues/comments/{{comment_id}}": "issues/comments#update-an-issue-comment",
    f"POST {REPO}/issues/comments/{{comment_id}}/reactions": (
        "reactions/reactions#create-reaction-for-an-issue-comment"
    ),
    f"GET {REPO}/collaborators/{{username}}/permission": (
        "collaborators/collaborators#get-repository-permissions-for-a-user"
    ),
    f"GET {REPO}/labels/{{name}}": "issues/labels#get-a-label",
    f"GET {REPO}/commits/{{ref}}/statuses": "commits/statuses#list-commit-statuses-for-a-reference",
    f"GET {REPO}/commits/{{ref}}/status": "commits/statuses#get-the-combined-status-for-a-specific-reference",
    f"POST {REPO}/statuses/{{sha}}": "commits/statuses#create-a-commit-status",
    f"GET {REPO}/commits/{{ref}}/check-runs": "checks/runs#list-check-runs-for-a-git-reference",
    f"GET {REPO}/actions/runs": "actions/workflow-runs#list-workflow-runs-for-a-repository",
    f"GET {REPO}/actions/runs/{{run_id}}/jobs": "actions/workflow-jobs#list-jobs-for-a-workflow-run",
    f"GET {REPO}/issues/{{issue_number}}/events": "issues/events#list-issue-events",
    f"GET {REPO}/branches/{{branch}}/protection": "branches/branch-protection#get-branch-protection",
    f"PUT {REPO}/branches/{{branch}}/protection": "branches/branch-protection#update-branch-protection",
    f"GET {REPO}/rules/branches/{{branch}}": "repos/rules#get-rules-for-a-branch",
    f"GET {REPO}/rulesets/{{ruleset_id}}": "repos/rules#get-a-repository-ruleset",
    "POST /app/installations/{installation_id}/access_tokens": (
        "apps/apps#create-an-installation-access-token-for-an-app"
    ),
    "GET /orgs/{org}/members": "orgs/members#list-organization-members",
    "GET /orgs/{org}/teams/{team_slug}/members": "teams/members#list-team-members",
}
"""Method and path as GitHub's own description writes them → the page that explains them."""

UNDESCRIBED = {
    "POST /graphql": "https://docs.github.com/en/graphql/reference (queries#viewer, queries#repository, commits)",
}
"""What is served without a contract: GraphQL has a schema of another kind."""

EXAMPLES = (
    "private-user-response-with-public-profile-information",
    "full-repository-default-response",
    "git-ref",
    "pull-request-simple-items",
    "pull-request",
    "pull-request-review-items",
    "issue",
    "issue-comment",
    "reaction",
    "repository-collaborator-permission-response-if-user-has-admin-permissions",
    "label",
    "status",
    "combined-commit-status",
    "check-run-paginated",
    "workflow-run-paginated",
    "job-paginated",
    "issue-event-for-issue-items",
    "branch-protection",
    "repository-rule-items",
    "repository-ruleset",
    "simple-user-items",
    "integration",
    "installation-token",
)
"""GitHub's own examples, in `components/examples` of its description."""
